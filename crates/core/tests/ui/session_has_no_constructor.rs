#![allow(unreachable_code)]

use supersession::Session;

fn construct() -> Session {
    Session { 0: unimplemented!() }
}

fn main() {}
