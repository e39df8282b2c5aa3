//! Login methods and factors of tenants, as each version of the interface sets and shows them. The
//! expected values are those of the reference's rules.

use serde_json::{Value, json};

use crate::support::{Core, LEGACY};

const V2: &str = "PUT /recipe/multitenancy/tenant/v2";
const OLD: &str = "PUT /recipe/multitenancy/tenant";

/// Returns a tenant in the three formats of the interface: the switches before CDI 5.0, the switches
/// and factors of 5.0, and the factors of the newest version.
async fn shown(core: &Core, tenant: &str) -> (Value, Value, Value) {
    let old = format!("/{tenant}/recipe/multitenancy/tenant");
    let switches = |answer: &Value| {
        ["emailPassword", "thirdParty", "passwordless"]
            .map(|name| answer[name]["enabled"].as_bool().unwrap())
    };
    let before = core.get(&old, "3.0").await;
    assert!(before.get("firstFactors").is_none(), "{before}");
    let of_5 = core.get(&old, "5.0").await;
    let newest = core.get(&format!("{old}/v2"), LEGACY).await;
    assert!(newest.get("emailPassword").is_none(), "{newest}");
    let both = json!([switches(&of_5), of_5.get("firstFactors")]);
    let factors = json!([
        newest.get("firstFactors"),
        newest.get("requiredSecondaryFactors")
    ]);
    (json!(switches(&before)), both, factors)
}

#[tokio::test]
async fn a_new_tenant_has_no_first_factors() {
    let core = Core::new().await;
    core.ok(V2, LEGACY, json!({ "tenantId": "t1" })).await;
    let expected = (
        json!([false, false, false]),
        json!([[false, false, false], null]),
        json!([[], null]),
    );
    assert_eq!(shown(&core, "t1").await, expected);
    let public = core.get("/recipe/multitenancy/tenant/v2", LEGACY).await;
    assert!(public.get("firstFactors").is_none());
    let (switches, both, factors) = shown(&core, "public").await;
    assert_eq!(switches, json!([true, true, true]));
    assert_eq!(both, json!([[true, true, true], null]));
    assert_eq!(factors, json!([null, null]));
    core.app("a1", json!({})).await;
    let app = core
        .get("/appid-a1/recipe/multitenancy/tenant/v2", LEGACY)
        .await;
    assert!(app.get("firstFactors").is_none());
}

#[tokio::test]
async fn switches_of_older_versions_are_returned_as_factors() {
    let core = Core::new().await;
    let body = json!({ "tenantId": "t1", "emailPasswordEnabled": true });
    core.ok(OLD, "3.0", body).await;
    let expected = (
        json!([true, false, false]),
        json!([[true, false, false], ["emailpassword"]]),
        json!([["emailpassword"], null]),
    );
    assert_eq!(shown(&core, "t1").await, expected);
    let body =
        json!({ "tenantId": "t1", "thirdPartyEnabled": true, "emailPasswordEnabled": false });
    core.ok(OLD, "4.0", body).await;
    let expected = (
        json!([false, true, false]),
        json!([[true, true, false], ["thirdparty"]]),
        json!([["thirdparty"], null]),
    );
    assert_eq!(shown(&core, "t1").await, expected);

    let body = json!({ "tenantId": "t2", "passwordlessEnabled": true });
    core.ok(OLD, "5.0", body).await;
    let derived = json!(["otp-email", "otp-phone", "link-email", "link-phone"]);
    let expected = (
        json!([false, false, true]),
        json!([[false, false, true], null]),
        json!([derived, null]),
    );
    assert_eq!(shown(&core, "t2").await, expected);
    core.ok(OLD, "5.0", json!({ "tenantId": "t3" })).await;
    let (switches, both, factors) = shown(&core, "t3").await;
    assert_eq!(switches, json!([false, false, false]));
    assert_eq!(both, json!([[false, false, false], null]));
    assert_eq!(factors, json!([[], null]));
}

#[tokio::test]
async fn factors_enable_their_login_methods_in_5_0() {
    let core = Core::new().await;
    let body = json!({
        "tenantId": "t1", "emailPasswordEnabled": true, "requiredSecondaryFactors": ["otp-email"],
    });
    core.ok(OLD, "5.0", body).await;
    let expected = (
        json!([true, false, false]),
        json!([[true, false, true], ["emailpassword"]]),
        json!([["emailpassword"], ["otp-email"]]),
    );
    assert_eq!(shown(&core, "t1").await, expected);
    let body = json!({ "tenantId": "t1", "passwordlessEnabled": false });
    core.ok(OLD, "5.0", body).await;
    let expected = (
        json!([true, false, false]),
        json!([[true, false, false], ["emailpassword"]]),
        json!([["emailpassword"], null]),
    );
    assert_eq!(shown(&core, "t1").await, expected);
}

#[tokio::test]
async fn the_newest_version_stores_factors_as_given() {
    let core = Core::new().await;
    let put = async |body: Value| core.ok(V2, LEGACY, body).await["createdNew"].clone();
    let body = json!({
        "tenantId": "t1", "firstFactors": ["emailpassword", "custom"],
        "requiredSecondaryFactors": ["totp"],
    });
    assert_eq!(put(body).await, true);
    let factors = shown(&core, "t1").await.2;
    assert_eq!(factors, json!([["custom", "emailpassword"], ["totp"]]));
    put(json!({ "tenantId": "t1", "firstFactors": null })).await;
    assert_eq!(shown(&core, "t1").await.2, json!([null, ["totp"]]));
    put(json!({ "tenantId": "t1", "firstFactors": [], "requiredSecondaryFactors": [] })).await;
    assert_eq!(shown(&core, "t1").await.2, json!([[], null]));
}

#[tokio::test]
async fn invalid_factors_are_rejected() {
    let core = Core::new().await;
    for field in ["firstFactors", "requiredSecondaryFactors"] {
        for call in [V2, OLD] {
            let body = json!({ "tenantId": "t1", field: ["totp", "totp"] });
            let text = format!("{field} input should not contain duplicate values");
            core.refused(call, "5.4", body, 400, &text).await;
            let text = format!("Field name '{field}' is invalid in JSON input");
            for ill_formed in [
                json!("totp"),
                json!([1]),
                json!({}),
                json!([null]),
                json!([["a"]]),
            ] {
                let body = json!({ "tenantId": "t1", field: ill_formed });
                core.refused(call, "5.4", body, 400, &text).await;
            }
        }
    }
    for (field, what) in [
        ("firstFactors", "first factors"),
        ("requiredSecondaryFactors", "required secondary factors"),
    ] {
        let body = json!({ "tenantId": "t1", field: [] });
        let text = format!("{field} cannot be empty. Set null instead to remove all {what}.");
        core.refused(OLD, "5.0", body, 400, &text).await;
    }
    for (switch, factor, name) in [
        ("emailPasswordEnabled", "emailpassword", "emailPassword"),
        ("thirdPartyEnabled", "thirdparty", "thirdParty"),
        ("passwordlessEnabled", "link-email", "passwordless"),
    ] {
        for field in ["firstFactors", "requiredSecondaryFactors"] {
            let body = json!({ "tenantId": "t1", switch: false, field: [factor] });
            let text = format!(
                "Invalid core config: {field} should not contain '{factor}' because {name} is disabled for the tenant."
            );
            core.refused(OLD, "5.0", body, 400, &text).await;
        }
    }
    for (switch, name) in [
        ("emailPasswordEnabled", "emailPasswordEnabled"),
        ("thirdPartyEnabled", "thirdParty"),
        ("passwordlessEnabled", "passwordless"),
    ] {
        let body = json!({ "tenantId": "t1", switch: true });
        let text = format!("{name} is not a valid input for this API");
        core.refused(V2, LEGACY, body, 400, &text).await;
    }
    let gone = core.get("/t1/recipe/multitenancy/tenant/v2", LEGACY).await;
    assert_eq!(gone["status"], "TENANT_NOT_FOUND_ERROR", "nothing was made");
}
