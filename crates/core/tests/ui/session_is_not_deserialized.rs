use supersession::Session;

fn deserialize<T: serde::de::DeserializeOwned>() {}

fn default<T: Default>() {}

fn main() {
    deserialize::<Session>();
    default::<Session>();
}
