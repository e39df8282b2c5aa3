use supersession::{AccessToken, AntiCsrfToken, FrontToken, RefreshToken, SecretText};

fn compare<T: PartialEq>() {}

fn main() {
    compare::<String>();
    compare::<AccessToken>();
    compare::<RefreshToken>();
    compare::<AntiCsrfToken>();
    compare::<FrontToken>();
    compare::<SecretText>();
}
