//! Findings about the path of one request.

use super::Finding;
use crate::config::Config;
use crate::config::domain::Domain;
use crate::http::RequestView;
use crate::transfer::Presented;
use crate::wire;

/// Returns the probable problems that this request shows.
pub(crate) fn findings(config: &Config, view: &dyn RequestView) -> Vec<Finding> {
    let mut findings = Vec::new();
    let api = config.api_domain();
    check_scheme(api, view, &mut findings);
    check_host(api, view, &mut findings);
    check_prefix(config, view, &mut findings);
    check_origin(config, view, &mut findings);
    let presented = Presented::read(view, config, |_| None);
    if presented.has_duplicate_access_cookie() || presented.has_duplicate_refresh_cookie() {
        findings.push(Finding::error(
            "older_cookie_domain",
            "this browser sends two cookies of one name, from before and after a change of `cookie_domain`",
            "set `older_cookie_domain` to the previous domain; the next refresh then clears the old cookies",
        ));
    }
    findings
}

fn check_scheme(api: &Domain, view: &dyn RequestView, findings: &mut Vec<Finding>) {
    if let Some(scheme) = view.header("x-forwarded-proto")
        && let scheme = first(&scheme)
        && scheme != api.scheme
    {
        findings.push(Finding::error(
            "api_domain",
            format!("this request came by {scheme}, but `api_domain` says `{api}`"),
            format!(
                "set `api_domain` to what browsers use, such as \"{scheme}://{}\"",
                api.host
            ),
        ));
    }
}

fn check_host(api: &Domain, view: &dyn RequestView, findings: &mut Vec<Finding>) {
    let host = view
        .header("x-forwarded-host")
        .or_else(|| view.header("host"));
    let Some(host) = host.map(|host| first(&host)) else {
        return;
    };
    let scheme = &api.scheme;
    if Domain::parse(&format!("{scheme}://{host}")).as_ref() != Ok(api) {
        findings.push(Finding::warning(
            "api_domain",
            format!("this request is for `{host}`, but `api_domain` says `{api}`"),
            "set `api_domain` to what browsers use; if a proxy changes the host, let it pass `X-Forwarded-Host`",
        ));
    }
}

fn check_prefix(config: &Config, view: &dyn RequestView, findings: &mut Vec<Finding>) {
    if let Some(prefix) = view.header("x-forwarded-prefix")
        && let prefix = crate::config::domain::path(&prefix)
        && prefix != config.gateway_path()
    {
        findings.push(Finding::error(
            "api_gateway_path",
            format!("a proxy strips the prefix `{prefix}`, so the refresh cookie's path is wrong"),
            format!("set `api_gateway_path(\"{prefix}\")`"),
        ));
    }
}

fn check_origin(config: &Config, view: &dyn RequestView, findings: &mut Vec<Finding>) {
    let (Some(origin), Some(website)) = (view.header(wire::ORIGIN_HEADER), config.website_domain())
    else {
        return;
    };
    let known = [website, config.api_domain()];
    if !known.iter().any(|domain| domain.to_string() == origin) {
        findings.push(Finding::warning(
            "website_domain",
            format!(
                "this request comes from the page `{origin}`, but `website_domain` says `{website}`"
            ),
            "set `website_domain` to where the page is, or `origin` if there are several",
        ));
    }
}

/// Returns the first member of a list that each proxy appends to, which is the client's side.
fn first(list: &str) -> String {
    let first = list.split(',').next().unwrap_or_default();
    first.trim().to_ascii_lowercase()
}
