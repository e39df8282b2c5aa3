//! Tests of the whole workspace, in one binary.

mod support;

mod smoke;
