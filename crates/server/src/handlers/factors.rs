//! Login methods and factors of a tenant. They are stored for the SDKs, which read them. The rules
//! by which each CDI version changes and shows them are those of the reference.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use supersession::TenantId;
use supersession::store::{LoginMethods, TenantRecord};

use crate::input::Input;
use crate::response::ErrorResponse;

/// Representations of login methods in the CDI.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginMethodFormat {
    /// Before CDI 5.0: switches only.
    Switches,
    /// Since CDI 5.0, on the older paths: switches and factors.
    Both,
    /// Paths that end in `v2`: factors only.
    Factors,
}

const EMAIL_PASSWORD: &str = "emailpassword";
const THIRD_PARTY: &str = "thirdparty";
/// The order in which derived factors are shown.
const PASSWORDLESS: [&str; 4] = ["otp-email", "otp-phone", "link-email", "link-phone"];
const ALL: usize = 6;

const FIRST: &str = "firstFactors";
const SECONDARY: &str = "requiredSecondaryFactors";

type Factors = BTreeSet<String>;

/// A login method.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    EmailPassword,
    ThirdParty,
    Passwordless,
}

const METHODS: [Method; 3] = [
    Method::EmailPassword,
    Method::ThirdParty,
    Method::Passwordless,
];

impl Method {
    fn of_factor(factor: &str) -> Option<Self> {
        match factor {
            EMAIL_PASSWORD => Some(Self::EmailPassword),
            THIRD_PARTY => Some(Self::ThirdParty),
            other => PASSWORDLESS.contains(&other).then_some(Self::Passwordless),
        }
    }

    fn factors(self) -> &'static [&'static str] {
        match self {
            Self::EmailPassword => &[EMAIL_PASSWORD],
            Self::ThirdParty => &[THIRD_PARTY],
            Self::Passwordless => &PASSWORDLESS,
        }
    }

    /// Returns the name in the CDI.
    fn name(self) -> &'static str {
        match self {
            Self::EmailPassword => "emailPassword",
            Self::ThirdParty => "thirdParty",
            Self::Passwordless => "passwordless",
        }
    }

    /// Returns the name of the method's switch in a request.
    fn switch(self) -> &'static str {
        match self {
            Self::EmailPassword => "emailPasswordEnabled",
            Self::ThirdParty => "thirdPartyEnabled",
            Self::Passwordless => "passwordlessEnabled",
        }
    }

    /// Returns the name of the switch in the reference's error message.
    fn switch_in_error(self) -> &'static str {
        match self {
            Self::EmailPassword => "emailPasswordEnabled",
            Self::ThirdParty | Self::Passwordless => self.name(),
        }
    }

    fn get(self, of: &LoginMethods) -> bool {
        match self {
            Self::EmailPassword => of.email_password,
            Self::ThirdParty => of.third_party,
            Self::Passwordless => of.passwordless,
        }
    }

    fn set(self, of: &mut LoginMethods, on: bool) {
        match self {
            Self::EmailPassword => of.email_password = on,
            Self::ThirdParty => of.third_party = on,
            Self::Passwordless => of.passwordless = on,
        }
    }
}

/// Sets the initial login methods and first factors of a new tenant.
pub(super) fn new_tenant(mut record: TenantRecord, format: LoginMethodFormat) -> TenantRecord {
    if record.tenant == TenantId::default() {
        return record;
    }
    if format != LoginMethodFormat::Factors {
        record.login_methods = LoginMethods::NONE;
    }
    if format != LoginMethodFormat::Both {
        record.first_factors = Some(Vec::new());
    }
    record
}

/// The requested changes.
pub(super) struct Update {
    switches: Vec<(Method, bool)>,
    /// `None` if the request omits them, `Some(None)` if it removes them.
    first: Option<Option<Factors>>,
    secondary: Option<Option<Factors>>,
}

impl Update {
    pub(super) fn read(
        input: &Input<'_>,
        format: LoginMethodFormat,
    ) -> Result<Self, ErrorResponse> {
        let mut switches = Vec::new();
        for method in METHODS {
            let name = method.switch();
            if format == LoginMethodFormat::Factors && input.has(name) {
                let name = method.switch_in_error();
                return Err(ErrorResponse::bad_request(format!(
                    "{name} is not a valid input for this API"
                )));
            }
            let on = input.optional_flag(name)?;
            switches.extend(on.map(|on| (method, on)));
        }
        if format == LoginMethodFormat::Switches {
            return Ok(Self {
                switches,
                first: None,
                secondary: None,
            });
        }
        let first = factors(input, FIRST, format, "first factors")?;
        let secondary = factors(input, SECONDARY, format, "required secondary factors")?;
        let update = Self {
            switches,
            first,
            secondary,
        };
        update.check()?;
        Ok(update)
    }

    fn switch(&self, method: Method) -> Option<bool> {
        let found = self.switches.iter().find(|(known, _)| *known == method);
        found.map(|(_, on)| *on)
    }

    /// Rejects factors whose login method the same request disables.
    fn check(&self) -> Result<(), ErrorResponse> {
        for method in METHODS {
            if self.switch(method) != Some(false) {
                continue;
            }
            for (field, given) in [(FIRST, &self.first), (SECONDARY, &self.secondary)] {
                let given = given.iter().flatten().flatten();
                let of_method =
                    |factor: &&String| Method::of_factor(factor.as_str()) == Some(method);
                if let Some(factor) = given.into_iter().find(of_method) {
                    let name = method.name();
                    return Err(ErrorResponse::bad_request(format!(
                        "Invalid core config: {field} should not contain '{factor}' because {name} is disabled for the tenant."
                    )));
                }
            }
        }
        Ok(())
    }

    pub(super) fn apply(&self, record: &mut TenantRecord, format: LoginMethodFormat) {
        let mut state = State {
            methods: record.login_methods,
            first: record.first_factors.take().map(set),
            secondary: record.required_secondary_factors.take().map(set),
        };
        match format {
            LoginMethodFormat::Switches => self.apply_switches(&mut state),
            LoginMethodFormat::Both => self.apply_both(&mut state),
            LoginMethodFormat::Factors => self.apply_factors(&mut state),
        }
        record.login_methods = state.methods;
        record.first_factors = state.first.map(list);
        let secondary = state.secondary.filter(|factors| !factors.is_empty());
        record.required_secondary_factors = secondary.map(list);
    }

    /// Applies the switches. A switch represents the first factors of its method.
    fn apply_switches(&self, state: &mut State) {
        let mut first = state.first.clone();
        for (method, _) in self.switches.iter().filter(|(_, on)| *on) {
            if !enabled_before_5(*method, &state.methods, state.first.as_ref()) {
                method.set(&mut state.methods, true);
                first.iter_mut().for_each(|first| add(first, *method));
            }
        }
        let is_off =
            |method: Method| !method.get(&state.methods) || self.switch(method) == Some(false);
        if first.is_none() && METHODS.into_iter().any(is_off) {
            first = Some(all());
        }
        if let Some(first) = &mut first {
            METHODS
                .into_iter()
                .filter(|method| is_off(*method))
                .for_each(|method| remove(first, method));
        }
        state.first = first;
    }

    fn apply_both(&self, state: &mut State) {
        let enables = |(method, on): &(Method, bool)| {
            *on && !enabled_in_5(*method, &state.methods, state.first.as_ref())
        };
        let first_is_empty = state.first.as_ref().is_some_and(BTreeSet::is_empty);
        if first_is_empty && self.switches.iter().any(enables) {
            state.methods = LoginMethods::NONE;
            state.first = None;
        }
        let before = state.clone();
        for (method, on) in &self.switches {
            method.set(&mut state.methods, *on);
            if !*on {
                state
                    .first
                    .iter_mut()
                    .for_each(|first| remove(first, *method));
                let secondary = state.secondary.iter_mut();
                secondary.for_each(|secondary| remove(secondary, *method));
            }
        }
        if let Some(first) = &self.first {
            state.first.clone_from(first);
        }
        if let Some(secondary) = &self.secondary {
            state.secondary.clone_from(secondary);
            let is_new = |method: Method| {
                !enabled_in_5(method, &before.methods, before.first.as_ref())
                    && self.switch(method) != Some(true)
            };
            let mut methods = secondary
                .iter()
                .flatten()
                .filter_map(|factor| Method::of_factor(factor));
            // A method that is needed only for secondary factors must not become a first factor.
            if self.first.is_none() && before.first.is_none() && methods.any(is_new) {
                let mut first = Factors::new();
                let on = |method: &Method| {
                    let switch = self.switch(*method);
                    (method.get(&before.methods) || switch == Some(true)) && switch != Some(false)
                };
                METHODS
                    .into_iter()
                    .filter(on)
                    .for_each(|method| add(&mut first, method));
                if first.len() < ALL {
                    state.first = Some(first);
                }
            }
        }
        let named = state.first.iter().chain(&state.secondary).flatten();
        for method in named.filter_map(|factor| Method::of_factor(factor)) {
            method.set(&mut state.methods, true);
        }
    }

    /// Applies the factors. All methods are enabled; only the factors have an effect.
    fn apply_factors(&self, state: &mut State) {
        if self.first.is_none() && self.secondary.is_none() {
            return;
        }
        if state.first.is_none() {
            state.first = derived(&state.methods).map(|factors| {
                let factors = factors.into_iter().map(str::to_owned);
                factors.collect()
            });
        }
        state.methods = LoginMethods::ALL;
        if let Some(first) = &self.first {
            state.first.clone_from(first);
        }
        if let Some(secondary) = &self.secondary {
            state.secondary.clone_from(secondary);
        }
    }
}

#[derive(Clone)]
struct State {
    methods: LoginMethods,
    first: Option<Factors>,
    secondary: Option<Factors>,
}

fn enabled_before_5(method: Method, methods: &LoginMethods, first: Option<&Factors>) -> bool {
    let named = |first: &Factors| {
        method
            .factors()
            .iter()
            .any(|factor| first.contains(*factor))
    };
    method.get(methods) && first.is_none_or(named)
}

fn enabled_in_5(method: Method, methods: &LoginMethods, first: Option<&Factors>) -> bool {
    method.get(methods) && first.is_none_or(|first| !first.is_empty())
}

/// Returns the first factors of the enabled methods, or `None` if all methods are enabled.
fn derived(methods: &LoginMethods) -> Option<Vec<&'static str>> {
    let on = METHODS.into_iter().filter(|method| method.get(methods));
    let factors: Vec<_> = on.flat_map(Method::factors).copied().collect();
    (factors.len() < ALL).then_some(factors)
}

fn all() -> Factors {
    let mut factors = Factors::new();
    METHODS
        .into_iter()
        .for_each(|method| add(&mut factors, method));
    factors
}

fn add(factors: &mut Factors, method: Method) {
    factors.extend(method.factors().iter().map(|factor| (*factor).to_owned()));
}

fn remove(factors: &mut Factors, method: Method) {
    factors.retain(|factor| Method::of_factor(factor) != Some(method));
}

fn set(factors: Vec<String>) -> Factors {
    factors.into_iter().collect()
}

fn list(factors: Factors) -> Vec<String> {
    factors.into_iter().collect()
}

fn factors(
    input: &Input<'_>,
    field: &str,
    format: LoginMethodFormat,
    description: &str,
) -> Result<Option<Option<Factors>>, ErrorResponse> {
    if !input.has(field) {
        return Ok(None);
    }
    if input.is_null(field) {
        return Ok(Some(None));
    }
    let given = input.optional_list::<String>(field)?.unwrap_or_default();
    let count = given.len();
    // No store accepts such a factor.
    if given.iter().any(|id| id.len() > 128 || id.contains('\0')) {
        return Err(ErrorResponse::bad_request(format!(
            "Field name '{field}' is invalid in JSON input"
        )));
    }
    let given = set(given);
    if given.len() != count {
        return Err(ErrorResponse::bad_request(format!(
            "{field} input should not contain duplicate values"
        )));
    }
    if given.is_empty() && format == LoginMethodFormat::Both {
        return Err(ErrorResponse::bad_request(format!(
            "{field} cannot be empty. Set null instead to remove all {description}."
        )));
    }
    Ok(Some(Some(given)))
}

/// Adds the members for login methods and factors.
pub(super) fn show(
    record: &TenantRecord,
    format: LoginMethodFormat,
    body: &mut Map<String, Value>,
) {
    let first = record.first_factors.clone().map(set);
    let methods = &record.login_methods;
    if format == LoginMethodFormat::Factors {
        body.insert("thirdParty".to_owned(), json!({ "providers": [] }));
    } else {
        for method in METHODS {
            let enabled = if format == LoginMethodFormat::Switches {
                enabled_before_5(method, methods, first.as_ref())
            } else {
                enabled_in_5(method, methods, first.as_ref())
            };
            let mut shown = json!({ "enabled": enabled });
            if method == Method::ThirdParty {
                shown["providers"] = json!([]);
            }
            body.insert(method.name().to_owned(), shown);
        }
    }
    if format == LoginMethodFormat::Switches {
        return;
    }
    let shown = match &record.first_factors {
        Some(first) if format == LoginMethodFormat::Both && first.is_empty() => None,
        Some(first) => Some(json!(first)),
        None if format == LoginMethodFormat::Factors => derived(methods).map(|first| json!(first)),
        None => None,
    };
    if let Some(first) = shown {
        body.insert(FIRST.to_owned(), first);
    }
    if let Some(secondary) = &record.required_secondary_factors {
        body.insert(SECONDARY.to_owned(), json!(secondary));
    }
}
