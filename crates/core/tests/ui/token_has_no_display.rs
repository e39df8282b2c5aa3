use supersession::{AccessToken, AntiCsrfToken, FrontToken, RefreshToken, SecretText};

fn display<T: std::fmt::Display>() {}

fn main() {
    display::<String>();
    display::<AccessToken>();
    display::<RefreshToken>();
    display::<AntiCsrfToken>();
    display::<FrontToken>();
    display::<SecretText>();
}
