//! Configurations that no browser can work with: refused by name, all at once, each with its fix.

use supersession::store::MemoryStore;
use supersession::{BuildError, CookiePrefix, SameSite, Sessions, SessionsBuilder};

async fn refused(
    api: &str,
    website: &str,
    configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
) -> Vec<&'static str> {
    let builder = Sessions::builder(MemoryStore::new())
        .api_domain(api)
        .website_domain(website)
        .cleanup_interval(None);
    match configure(builder).build().await {
        Err(BuildError::Config(problems)) => {
            for problem in &problems {
                assert!(!problem.fix.is_empty(), "{problem:?}");
            }
            problems.iter().map(|problem| problem.setting).collect()
        }
        Err(fault) => panic!("{fault}"),
        Ok(_) => Vec::new(),
    }
}

macro_rules! configurations {
    ($($name:ident: $api:literal, $website:literal, $configure:expr => [$($setting:literal),*];)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let expected: &[&str] = &[$($setting),*];
                assert_eq!(refused($api, $website, $configure).await, expected);
            }
        )*
    };
}

configurations! {
    a_cookie_domain_of_another_site: "https://api.example.com", "https://example.com",
        |b| b.cookie_domain("example.org") => ["cookie_domain"];
    a_cookie_domain_that_only_looks_alike: "https://api-example.com", "https://api-example.com",
        |b| b.cookie_domain("example.com") => ["cookie_domain"];
    a_cookie_domain_below_the_api: "https://example.com", "https://example.com",
        |b| b.cookie_domain("api.example.com") => ["cookie_domain"];
    a_cookie_domain_beside_localhost: "http://localhost:3000", "http://localhost:3000",
        |b| b.cookie_domain("example.com") => ["cookie_domain"];
    a_cookie_domain_above_the_api: "https://api.example.com", "https://example.com",
        |b| b.cookie_domain(".example.com") => [];
    the_host_as_cookie_domain: "https://api.example.com", "https://example.com",
        |b| b.cookie_domain("api.example.com") => [];
    an_older_cookie_domain_of_another_site: "https://api.example.com", "https://example.com",
        |b| b.older_cookie_domain("example.org") => ["older_cookie_domain"];
    a_public_suffix: "https://api.example.co.uk", "https://example.co.uk",
        |b| b.cookie_domain("co.uk") => ["cookie_domain"];
    a_private_public_suffix: "https://api.github.io", "https://api.github.io",
        |b| b.cookie_domain(".github.io") => ["cookie_domain"];
    an_older_public_suffix: "https://api.example.com", "https://example.com",
        |b| b.older_cookie_domain("com") => ["older_cookie_domain"];
    secure_cookies_on_plain_http: "http://api.example.com", "http://example.com",
        |b| b.cookie_secure(true) => ["cookie_secure"];
    same_site_none_on_plain_http: "http://api.example.com", "http://example.com",
        |b| b.cookie_same_site(SameSite::None) => ["cookie_same_site"];
    secure_cookies_on_localhost: "http://localhost:3000", "http://localhost:3000",
        |b| b.cookie_secure(true) => [];
    mixed_content: "http://api.example.com", "https://example.com", |b| b => ["api_domain"];
    two_names_of_this_machine: "http://127.0.0.1:3000", "http://localhost:5173",
        |b| b => ["website_domain"];
    two_addresses_of_this_machine: "http://127.0.0.1:3000", "http://[::1]:5173",
        |b| b => ["website_domain"];
    two_ports_of_this_machine: "http://127.0.0.1:3000", "http://127.0.0.1:5173", |b| b => [];
    a_cookie_named_like_a_legacy_one: "https://api.example.com", "https://example.com",
        |b| b.cookie_names("sIdRefreshToken", "r") => ["cookie_names"];
    names_that_a_prefix_would_make_the_same: "https://api.example.com", "https://example.com",
        |b| b.cookie_names("a", "__Secure-a").cookie_prefix(CookiePrefix::Accept) => ["cookie_names"];
    a_header_with_a_meaning_of_its_own: "https://api.example.com", "https://example.com",
        |b| b.response_header_names("Front-Token", "set-cookie") =>
        ["response_header_names", "response_header_names"];
    all_problems_at_once: "http://api.example.com", "https://example.org",
        |b| b.cookie_domain("com").cookie_secure(true).cookie_same_site(SameSite::None)
            .signing_threads(0) =>
        ["signing_threads", "cookie_domain", "cookie_secure", "cookie_same_site", "api_domain"];
}
