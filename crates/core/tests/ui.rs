//! Code that the compiler must reject, each with the expected message: one file in `ui/` for each
//! invariant.
//!
//! The first run compiles core's dependencies into `target/tests/trybuild`, which takes one to two
//! minutes; later runs take seconds. `TRYBUILD=overwrite cargo test -p supersession --test ui`
//! rewrites the messages for a new compiler.

#[test]
fn invalid_programs_are_rejected() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
