//! The configuration keys of SuperTokens' core, their types, and the level at which each may be
//! set.

use serde_json::{Number, Value};

use crate::config_error::ConfigError;

/// The level at which a value may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Only at the start of the process.
    Process,
    /// For an app. All its tenants share the value.
    App,
    /// For each tenant.
    Tenant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Long,
    Int,
    Double,
    Boolean,
    Text,
}

use Level::{App, Process, Tenant};
use Type::{Boolean, Double, Int, Long, Text};

/// Includes keys of other recipes, because SDKs set them. They have no effect here.
const KEYS: [(&str, Type, Level); 50] = [
    ("access_token_validity", Long, App),
    ("access_token_blacklisting", Boolean, App),
    ("refresh_token_validity", Double, App),
    ("refresh_token_rotation_grace_period", Long, App),
    ("refresh_token_lost_response_window", Long, App),
    ("access_token_validity_jitter", Double, App),
    ("access_token_signing_key_dynamic", Boolean, App),
    (
        "access_token_dynamic_signing_key_update_interval",
        Double,
        App,
    ),
    ("api_keys", Text, App),
    ("supertokens_max_cdi_version", Text, App),
    ("supertokens_min_cdi_version", Text, App),
    ("disable_telemetry", Boolean, App),
    ("ip_allow_regex", Text, Tenant),
    ("ip_deny_regex", Text, Tenant),
    ("password_reset_token_lifetime", Long, Tenant),
    ("email_verification_token_lifetime", Long, Tenant),
    ("passwordless_max_code_input_attempts", Int, Tenant),
    ("passwordless_code_lifetime", Long, Tenant),
    ("totp_max_attempts", Int, Tenant),
    ("totp_rate_limit_cooldown_sec", Int, Tenant),
    ("webauthn_recover_account_token_lifetime", Long, App),
    ("password_hashing_alg", Text, App),
    ("firebase_password_hashing_signer_key", Text, App),
    ("bulk_migration_parallelism", Int, App),
    ("bulk_migration_batch_size", Int, App),
    ("oauth_provider_public_service_url", Text, App),
    ("oauth_provider_admin_service_url", Text, App),
    ("oauth_provider_consent_login_base_url", Text, App),
    ("oauth_provider_url_configured_in_oauth_provider", Text, App),
    ("recent_token_reuse_behaviour", Text, Process),
    ("port", Int, Process),
    ("host", Text, Process),
    ("base_path", Text, Process),
    ("max_server_pool_size", Int, Process),
    ("log_level", Text, Process),
    ("info_log_path", Text, Process),
    ("error_log_path", Text, Process),
    ("argon2_iterations", Int, Process),
    ("argon2_memory_kb", Int, Process),
    ("argon2_parallelism", Int, Process),
    ("argon2_hashing_pool_size", Int, Process),
    ("firebase_password_hashing_pool_size", Int, Process),
    ("bcrypt_log_rounds", Int, Process),
    ("webserver_https_enabled", Boolean, Process),
    ("supertokens_saas_secret", Text, Process),
    ("supertokens_saas_load_only_cud", Text, Process),
    ("oauth_client_secret_encryption_key", Text, Process),
    ("otel_collector_connection_uri", Text, Process),
    ("core_config_version", Int, Process),
    ("migration_mode", Text, Process),
];

/// Returns the current name for an outdated one.
pub(crate) fn canonical(name: &str) -> &str {
    match name {
        "access_token_signing_key_update_interval" => {
            "access_token_dynamic_signing_key_update_interval"
        }
        _ => name,
    }
}

fn find(name: &str) -> Option<&'static (&'static str, Type, Level)> {
    let name = canonical(name);
    KEYS.iter().find(|(known, ..)| *known == name)
}

/// Returns the level at which this key may be set, or `None` if the key is unknown.
pub(crate) fn level(name: &str) -> Option<Level> {
    find(name).map(|(.., level)| *level)
}

/// Converts the value to the type of its key. Strings are parsed.
pub(crate) fn coerced(name: &str, value: &Value) -> Result<Value, ConfigError> {
    let Some((_, kind, _)) = find(name) else {
        return Err(ConfigError::new("Invalid config key".to_owned()));
    };
    let (value, type_name) = match kind {
        Long => (whole(value), "long"),
        Int => (
            whole(value).filter(|value| value.as_i64().is_some_and(|n| i32::try_from(n).is_ok())),
            "int",
        ),
        Double => (double(value), "double"),
        Boolean => (boolean(value), "boolean"),
        Text => (plain_text(value), "String"),
    };
    value.ok_or_else(|| ConfigError::new(format!("'{name}' must be of type {type_name}")))
}

fn whole(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => {
            if number.is_i64() {
                return Some(value.clone());
            }
            let number = number.as_f64()?;
            #[expect(clippy::cast_possible_truncation, reason = "the fraction is none")]
            let whole = number as i64;
            (number.fract() == 0.0).then(|| whole.into())
        }
        Value::String(text) => text.trim().parse::<i64>().ok().map(Value::from),
        _ => None,
    }
}

fn double(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => {
            let number = text.trim().parse::<f64>().ok()?;
            Number::from_f64(number).map(Value::Number)
        }
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true.into()),
            "false" => Some(false.into()),
            _ => None,
        },
        _ => None,
    }
}

fn plain_text(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(flag) => Some(flag.to_string().into()),
        _ => None,
    }
}
