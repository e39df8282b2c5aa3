use supersession::Session;

fn user_of(session: &Session) -> &str {
    session.user_id()
}

fn take_apart(session: &Session) {
    let _ = &session.0;
}

fn main() {}
