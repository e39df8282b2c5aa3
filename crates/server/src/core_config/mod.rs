//! The configuration of an app, under the names of SuperTokens' core. The values of the app or the
//! tenant override those with which the process was started.

mod keys;

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};
use supersession::JsonObject;
use supersession::engine::EngineSettings;
use supersession::store::KeyKind;

use crate::api_keys::{self, ApiKeys};
use crate::cdi::{CdiVersion, CdiVersionError};
use crate::config_error::ConfigError;
use crate::ip_rules::IpRules;

pub(crate) use keys::{Level, coerced, level};

/// Values by name.
pub type Values = Map<String, Value>;

/// Limits for production systems, which tests must exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limits {
    /// Keys live at least an hour, refresh tokens live longer than access tokens, and the grace
    /// period is at most five minutes.
    Enforced,
    /// For test suites, which wait for keys and tokens to expire.
    Lifted,
}

/// The checked configuration of an app.
#[derive(Debug)]
pub(crate) struct AppConfig {
    pub(crate) engine: EngineSettings,
    /// If set, verification for SDKs from before key sets lookups up the session.
    pub(crate) access_token_blacklisting: bool,
    /// The kind of key that signs tokens for SDKs from before key sets.
    pub(crate) signing_key: KeyKind,
    pub(crate) api_keys: ApiKeys,
    pub(crate) max_cdi: CdiVersion,
    pub(crate) min_cdi: Option<CdiVersion>,
    pub(crate) ip_rules: IpRules,
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
/// The range of the grace period if [`Limits`] are lifted.
const LIFTED_GRACE_PERIOD: RangeInclusive<Duration> =
    RangeInclusive::new(Duration::ZERO, Duration::from_secs(86_400_000));

impl AppConfig {
    /// Reads and checks all values.
    pub(crate) fn read(values: &Values, limits: Limits) -> Result<Self, ConfigError> {
        let lifted = limits == Limits::Lifted;
        let mut engine = EngineSettings::default();
        engine.access_token_validity = seconds(
            values,
            "access_token_validity",
            engine.access_token_validity,
            &EngineSettings::ACCESS_TOKEN_VALIDITY,
        )?;
        engine.refresh_token_validity = span(
            values,
            "refresh_token_validity",
            engine.refresh_token_validity,
            ("minutes", MINUTE),
        )?;
        if engine.refresh_token_validity <= engine.access_token_validity && !lifted {
            return Err(bad(
                "'refresh_token_validity' must be strictly greater than 'access_token_validity'.",
            ));
        }
        let interval_name = "access_token_dynamic_signing_key_update_interval";
        engine.signing_key_update_interval = span(
            values,
            interval_name,
            engine.signing_key_update_interval,
            ("hours", HOUR),
        )?;
        if engine.signing_key_update_interval < *EngineSettings::KEY_UPDATE_INTERVAL.start()
            && !lifted
        {
            return Err(bad(&format!(
                "'{interval_name}' must be greater than, equal to 1 hour."
            )));
        }
        // Keys must not overlap for longer than they live.
        if engine.signing_key_update_interval < engine.signing_key_overlap {
            engine.signing_key_overlap = engine.signing_key_update_interval / 5;
        }
        engine.refresh_token_rotation_grace_period = seconds(
            values,
            "refresh_token_rotation_grace_period",
            engine.refresh_token_rotation_grace_period,
            if lifted {
                &LIFTED_GRACE_PERIOD
            } else {
                &EngineSettings::GRACE_PERIOD
            },
        )?;
        let window = seconds(
            values,
            "refresh_token_lost_response_window",
            Duration::ZERO,
            &(Duration::ZERO..=EngineSettings::LONGEST),
        )?;
        engine.lost_response_window = (!window.is_zero()).then_some(window);
        let jitter_name = "access_token_validity_jitter";
        let jitter = number(values, jitter_name)?.unwrap_or(engine.access_token_validity_jitter);
        if !EngineSettings::JITTER.contains(&jitter) {
            return Err(bad(
                "'access_token_validity_jitter' must be between 0 and 0.25 inclusive.",
            ));
        }
        engine.access_token_validity_jitter = jitter;
        let reuse = text(values, "recent_token_reuse_behaviour").unwrap_or("TOKEN_THEFT");
        engine.report_recent_token_reuse_as_theft = match reuse.to_ascii_uppercase().as_str() {
            "TOKEN_THEFT" => true,
            "UNAUTHORISED" => false,
            _ => {
                return Err(bad(
                    "recent_token_reuse_behaviour property is not set correctly. It must be one of [TOKEN_THEFT, UNAUTHORISED]",
                ));
            }
        };
        others(values)?;
        let min_cdi = cdi(values, "supertokens_min_cdi_version")?;
        let max_cdi = cdi(values, "supertokens_max_cdi_version")?.unwrap_or(CdiVersion::NEWEST);
        if min_cdi.is_some_and(|min| min > max_cdi) {
            return Err(bad(
                "'supertokens_min_cdi_version' must not be greater than 'supertokens_max_cdi_version'",
            ));
        }
        Ok(Self {
            engine,
            access_token_blacklisting: flag(values, "access_token_blacklisting", false),
            signing_key: if flag(values, "access_token_signing_key_dynamic", true) {
                KeyKind::Dynamic
            } else {
                KeyKind::Static
            },
            api_keys: api_keys::parse(text(values, "api_keys"))?,
            max_cdi,
            min_cdi,
            ip_rules: ip_rules(values)?,
        })
    }
}

/// Reads the address rules of a tenant.
pub(crate) fn ip_rules(values: &Values) -> Result<IpRules, ConfigError> {
    IpRules::new(
        text(values, "ip_allow_regex"),
        text(values, "ip_deny_regex"),
    )
}

/// Returns the base values, overridden by `over`. Null removes a value.
pub(crate) fn overlaid(base: &Values, over: &JsonObject) -> Values {
    let mut values = base.clone();
    for (name, value) in over.deserialize::<Values>().unwrap_or_default() {
        let name = keys::canonical(&name).to_owned();
        if value.is_null() {
            values.remove(&name);
        } else {
            values.insert(name, value);
        }
    }
    values
}

fn bad(text: &str) -> ConfigError {
    ConfigError::new(text)
}

fn text<'a>(values: &'a Values, name: &str) -> Option<&'a str> {
    values.get(name).and_then(Value::as_str)
}

fn flag(values: &Values, name: &str, default: bool) -> bool {
    values.get(name).and_then(Value::as_bool).unwrap_or(default)
}

fn number(values: &Values, name: &str) -> Result<Option<f64>, ConfigError> {
    let Some(value) = values.get(name) else {
        return Ok(None);
    };
    let number = value
        .as_f64()
        .ok_or_else(|| ConfigError::new(format!("'{name}' must be of type double")))?;
    if number.is_finite() && number >= 0.0 {
        Ok(Some(number))
    } else {
        Err(ConfigError::new(format!("'{name}' must not be negative")))
    }
}

/// Returns a duration that is given as a number of this unit. It is limited so that sums cannot
/// overflow, and has at least a millisecond because times are stored in milliseconds.
fn span(
    values: &Values,
    name: &str,
    default: Duration,
    (unit, seconds_in_one): (&str, f64),
) -> Result<Duration, ConfigError> {
    const RANGE: RangeInclusive<Duration> =
        RangeInclusive::new(Duration::from_millis(1), EngineSettings::LONGEST);
    let Some(number) = number(values, name)? else {
        return Ok(default);
    };
    let span = Duration::try_from_secs_f64(number * seconds_in_one).ok();
    span.filter(|span| RANGE.contains(span)).ok_or_else(|| {
        let most = EngineSettings::LONGEST.as_secs_f64() / seconds_in_one;
        ConfigError::new(format!(
            "'{name}' must be greater than 0 and at most {most} {unit}"
        ))
    })
}

/// Returns a duration that is given in whole seconds.
fn seconds(
    values: &Values,
    name: &str,
    default: Duration,
    range: &RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    let Some(value) = values.get(name) else {
        return Ok(default);
    };
    let span = value.as_u64().map(Duration::from_secs);
    span.filter(|span| range.contains(span)).ok_or_else(|| {
        let (min, max) = (range.start().as_secs(), range.end().as_secs());
        ConfigError::new(format!(
            "'{name}' must be between {min} and {max} seconds inclusive."
        ))
    })
}

fn cdi(values: &Values, name: &str) -> Result<Option<CdiVersion>, ConfigError> {
    text(values, name)
        .map(|text| {
            CdiVersion::parse(text).map_err(|problem| {
                ConfigError::new(match problem {
                    CdiVersionError::Malformed => format!("{name} is not a valid semantic version"),
                    CdiVersionError::Unsupported(_) => format!("{name} is not a supported version"),
                })
            })
        })
        .transpose()
}

/// Checks values of recipes that this server does not have, as the reference does.
fn others(values: &Values) -> Result<(), ConfigError> {
    for (name, bound) in [
        ("password_reset_token_lifetime", "must be >= 0"),
        ("email_verification_token_lifetime", "must be >= 0"),
        ("passwordless_code_lifetime", "must be > 0"),
        ("passwordless_max_code_input_attempts", "must be > 0"),
        ("totp_max_attempts", "must be > 0"),
        ("totp_rate_limit_cooldown_sec", "must be > 0"),
    ] {
        if values
            .get(name)
            .and_then(Value::as_i64)
            .is_some_and(|number| number <= 0)
        {
            return Err(ConfigError::new(format!("'{name}' {bound}")));
        }
    }
    for (name, bound) in [
        ("bulk_migration_parallelism", "must be >= 1"),
        ("bulk_migration_batch_size", "must be >= 1"),
        ("webauthn_recover_account_token_lifetime", "must be > 0"),
    ] {
        if values
            .get(name)
            .and_then(Value::as_i64)
            .is_some_and(|number| number <= 0)
        {
            return Err(ConfigError::new(format!("Provided {name} {bound}")));
        }
    }
    match text(values, "password_hashing_alg") {
        Some(name)
            if !["ARGON2", "BCRYPT"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known)) =>
        {
            Err(bad(
                "'password_hashing_alg' must be one of 'ARGON2' or 'BCRYPT'",
            ))
        }
        _ => Ok(()),
    }
}
