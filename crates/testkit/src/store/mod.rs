//! The conformance suite that every store must pass.
//!
//! [`store_conformance!`](crate::store_conformance) expands to one test per case. All cases are
//! listed in this file, so a store cannot omit one, and a new case reaches every store. The
//! documentation of [`supersession::store`] defines the behavior that the cases check.
//!
//! # Examples
//! In a file of the store's `tests` directory. The macro takes an async function or closure that
//! returns a fresh, empty store and a guard. The guard is kept until the store is dropped. It can
//! be a temporary directory, for example, or `()`. If the store needs a server that may not be
//! installed, the function returns an `Option` of the pair:
//! ```no_run
//! use supersession::store::MemoryStore;
//!
//! async fn fresh() -> (MemoryStore, ()) {
//!     (MemoryStore::new(), ())
//! }
//!
//! supersession_testkit::store_conformance!(fresh);
//! ```
//!
//! The cases use a time far in the future. A store that reads its own clock therefore fails, while
//! a store whose database drops long expired rows does not.

#[doc(hidden)]
pub mod cases;
#[doc(hidden)]
pub mod fixtures;
mod fresh;
pub mod load;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod tenants;

use std::sync::Arc;

use supersession::store::TenantStore;

use fixtures::SharedStore;
#[doc(hidden)]
pub use fresh::Fresh;

/// Runs the suite on the stores that the given async function or closure creates; see
/// [`store`](mod@crate::store).
#[macro_export]
macro_rules! store_conformance {
    ($fresh:expr) => {
        $crate::store_conformance! { @tests $fresh;
            empty::an_empty_store_has_no_sessions
            empty::an_empty_store_has_nothing_to_delete
            empty::an_empty_store_has_neither_metadata_nor_keys
            empty::a_store_that_works_is_ready_and_a_check_leaves_nothing

            sessions::a_session_reads_back_as_it_was_written
            sessions::a_session_with_a_previous_refresh_token_reads_back
            sessions::the_standing_of_a_session_is_a_part_of_it
            sessions::documents_read_back_to_the_letter
            sessions::odd_user_ids_read_back_and_are_found
            sessions::a_taken_handle_is_refused_and_the_old_session_stays
            sessions::a_session_that_is_over_still_holds_its_handle
            sessions::a_handle_is_free_again_after_its_session_was_deleted
            sessions::the_same_handle_in_another_app_is_another_session
            sessions::the_same_handle_in_another_tenant_is_another_session
            sessions::of_racing_inserts_of_one_handle_one_wins

            expiry::a_session_can_be_read_until_its_end
            expiry::a_session_can_be_rotated_until_its_end
            expiry::documents_can_be_written_until_the_end
            expiry::lists_hold_a_session_until_its_end
            expiry::sessions_of_a_user_can_be_deleted_until_their_end
            expiry::deleting_by_handle_finds_sessions_that_are_over
            expiry::clearing_up_takes_what_is_over_and_nothing_else
            expiry::clearing_up_stops_at_the_limit
            expiry::clearing_up_takes_sessions_of_every_app

            rotation::a_rotation_moves_the_session_and_keeps_the_rest
            rotation::a_rotation_can_be_followed_by_another
            rotation::a_rotation_is_refused_if_the_lineage_is_another
            rotation::a_rotation_is_refused_if_the_payload_is_another
            rotation::a_rotation_ignores_session_data
            rotation::a_session_that_is_gone_cannot_be_rotated
            rotation::of_racing_rotations_one_wins
            rotation::a_rotation_and_a_payload_write_do_not_lose_each_other

            documents::an_overwrite_replaces_the_whole_document
            documents::a_merge_replaces_members_and_null_removes_them
            documents::a_merge_beyond_its_bound_is_refused
            documents::a_stored_document_may_be_nested_deeper_than_an_entrance_accepts
            documents::a_merge_keeps_the_order_and_the_spelling_of_the_rest
            documents::a_swap_takes_place_if_the_document_is_the_expected_one
            documents::a_refused_swap_tells_what_is_stored
            documents::a_swap_compares_to_the_letter
            documents::the_documents_of_a_session_are_independent
            documents::writing_a_document_keeps_the_rest_of_the_session
            documents::no_write_makes_a_session

            races::concurrent_swaps_lose_no_increment
            races::concurrent_merges_of_different_members_all_survive
            races::a_delete_amid_writes_wins_and_nothing_comes_back
            races::a_delete_amid_rotations_wins_and_nothing_comes_back
            races::writes_to_different_sessions_do_not_meet

            deletes::deleting_tells_exactly_what_was_there
            deletes::deleting_tells_a_repeated_key_once
            deletes::deleting_nothing_is_no_error
            deletes::deleting_by_key_stays_in_its_scope
            deletes::deleting_by_user_takes_all_tenants
            deletes::deleting_by_user_can_stay_in_one_tenant
            deletes::deleting_by_user_can_spare_one_session
            deletes::deleting_by_user_leaves_other_users_and_apps_alone
            deletes::of_racing_deletes_each_session_is_told_once
            deletes::of_racing_deletes_by_user_each_session_is_told_once

            devices::a_device_reads_back
            devices::the_newest_use_counts
            devices::a_use_makes_and_revives_no_session
            devices::a_label_can_be_set_and_removed
            devices::other_writes_leave_the_device_alone

            lists::lists_are_oldest_first_then_by_handle
            lists::handles_and_records_agree
            lists::lists_select_by_user_and_app
            lists::lists_can_stay_in_one_tenant
            lists::lists_can_leave_one_session_out
            lists::lists_hold_whole_records

            metadata::metadata_is_absent_until_it_is_written
            metadata::updates_merge_at_the_root
            metadata::an_empty_update_makes_an_empty_document
            metadata::a_swap_takes_absent_metadata_for_the_empty_object
            metadata::a_refused_swap_makes_no_metadata
            metadata::deleting_tells_whether_there_was_any
            metadata::metadata_after_a_delete_holds_only_the_update
            metadata::metadata_belongs_to_its_app_and_user
            metadata::racing_first_updates_all_survive
            metadata::concurrent_metadata_swaps_lose_no_increment

            keys::keys_read_back_newest_first
            keys::a_rotating_key_is_refused_if_there_is_one_since_the_bound
            keys::a_rotating_key_is_refused_if_its_millisecond_is_taken
            keys::of_racing_rotating_keys_one_is_added
            keys::a_second_static_key_is_refused
            keys::of_racing_static_keys_one_is_added
            keys::deleting_takes_old_rotating_keys_and_never_static_ones
            keys::keys_belong_to_their_app
            keys::the_first_refresh_token_key_stays
            keys::racing_callers_get_one_refresh_token_key
        }
    };
    (@tests $fresh:expr; $($module:ident :: $case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::store::run($fresh, $crate::store::cases::$module::$case);
            }
        )*
        #[doc(hidden)]
        #[allow(dead_code, reason = "for the test kit's own test of this list")]
        pub(crate) const STORE_CONFORMANCE_CASES: &[(&str, &str)] =
            &[$((stringify!($module), stringify!($case)),)*];
    };
}

/// Runs the cases for the revocation feed, for a store that has one. Called in the same way as
/// [`store_conformance!`](crate::store_conformance), and in addition to it.
#[macro_export]
macro_rules! store_endings_conformance {
    ($fresh:expr) => {
        $crate::store_conformance! { @tests $fresh;
            revocations::a_feed_tells_what_is_deleted
            revocations::every_feed_tells_everything
            revocations::a_feed_tells_the_scope
            revocations::a_feed_keeps_up_with_many_revocations
        }
    };
}

/// Runs the cases for apps and tenants, for a store that keeps them. Called in the same way as
/// [`store_conformance!`](crate::store_conformance), and in addition to it.
#[macro_export]
macro_rules! tenant_conformance {
    ($fresh:expr) => {
        $crate::tenant_conformance! { @tests $fresh;
            a_store_without_tenants_has_none
            a_tenant_reads_back_as_it_was_put
            an_app_has_its_public_tenant_from_the_start
            putting_a_tenant_again_replaces_it
            a_tenant_that_was_met_is_registered_once_it_is_put
            deleting_a_tenant_takes_its_sessions_and_no_others
            the_public_tenant_goes_with_its_app_only
            deleting_an_app_takes_all_of_it_and_nothing_else
            a_deleted_app_can_be_made_again
            active_users_are_counted_by_the_last_use_of_their_sessions
        }
    };
    (@tests $fresh:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::store::run_tenants($fresh, $crate::store::tenants::$case);
            }
        )*
    };
}

/// Compares a store with [`MemoryStore`](supersession::store::MemoryStore), call by call, on
/// `histories` random histories. Called in the same way as
/// [`store_conformance!`](crate::store_conformance), and in addition to it. `PROPTEST_CASES`
/// overrides the number of histories.
#[macro_export]
macro_rules! store_model {
    ($fresh:expr, $histories:expr) => {
        #[test]
        fn any_history_agrees_with_the_reference() {
            $crate::store::model::run($fresh, $histories);
        }
    };
}

/// Runs one case on a fresh store, on a multi-threaded tokio runtime.
#[doc(hidden)]
#[expect(
    clippy::unwrap_used,
    reason = "part of a test, which fails by panicking"
)]
pub fn run<Made>(fresh: impl FnOnce() -> Made, case: impl AsyncFnOnce(SharedStore))
where
    Made: Future<Output: Fresh>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        if let Some((store, guard)) = fresh().await.into_parts() {
            case(Arc::new(store)).await;
            drop(guard);
        }
    });
}

/// Like [`run`], for a store that also keeps tenants.
#[doc(hidden)]
#[expect(
    clippy::unwrap_used,
    reason = "part of a test, which fails by panicking"
)]
pub fn run_tenants<Made>(
    fresh: impl FnOnce() -> Made,
    case: impl AsyncFnOnce(SharedStore, Arc<dyn TenantStore>),
) where
    Made: Future<Output: Fresh<Store: TenantStore>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        if let Some((store, guard)) = fresh().await.into_parts() {
            let store = Arc::new(store);
            case(Arc::clone(&store) as SharedStore, store).await;
            drop(guard);
        }
    });
}
