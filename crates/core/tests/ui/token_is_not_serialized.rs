use supersession::{AccessToken, AntiCsrfToken, FrontToken, RefreshToken, SecretText};

fn serialize<T: serde::Serialize>() {}

fn main() {
    serialize::<String>();
    serialize::<AccessToken>();
    serialize::<RefreshToken>();
    serialize::<AntiCsrfToken>();
    serialize::<FrontToken>();
    serialize::<SecretText>();
}
