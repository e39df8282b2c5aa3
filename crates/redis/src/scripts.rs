//! Scripts that make a verb one atomic step on the server.

use redis::Script;

macro_rules! scripts {
    ($($name:ident)*) => {
        /// All scripts, each with its hash.
        pub(crate) struct Scripts {
            $(pub(crate) $name: Script,)*
        }

        impl Scripts {
            pub(crate) fn new() -> Self {
                Self {
                    $($name: Script::new(include_str!(concat!("lua/", stringify!($name), ".lua"))),)*
                }
            }

            pub(crate) fn all(&self) -> Vec<&Script> {
                vec![$(&self.$name,)*]
            }
        }
    };
}

scripts! {
    add_dynamic_key
    add_static_key
    delete
    delete_app_names
    delete_dynamic_keys
    expire
    first
    insert
    label
    put_tenant
    read
    ready
    rotate
    swap_metadata
    record_use
    write
}
