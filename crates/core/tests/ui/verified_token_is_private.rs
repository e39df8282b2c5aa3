use supersession::verify::VerifiedToken;

fn main() {}
