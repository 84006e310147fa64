//! Channels: where the shop sells.

use serde_json::json;

use crate::support::concurrently;

both! {
    fn a_new_channel_has_the_terms_it_was_given_and_the_usual_ones(shop) {
        let input = json!({
            "handle": "uk", "name": "United Kingdom", "currency": "GBP", "currencies": ["EUR", "GBP"],
            "countries": ["GB", "IE"], "orderNumberPrefix": "UK-", "metadata": { "team": "north" },
        });
        let made = shop.staff().post("/channels", input).created();
        let mut expected = json!({
            "handle": "uk", "name": "United Kingdom", "status": "active",
            "currency": "GBP", "currencies": ["GBP", "EUR"], "countries": ["GB", "IE"],
            "pricesIncludeTax": true, "rounding": "half_up", "taxPer": "line",
            "orderNumbers": "sequential", "orderNumberPrefix": "UK-", "holdMinutes": 15,
            "metadata": { "team": "north" }, "privateMetadata": {}, "version": 1, "capture": "manual",
            "riskChecks": false, "riskInvestigateFrom": 50, "riskCancelFrom": 90, "riskFirstOrderFrom": null,
            "invoiceNeedsTerms": false, "cancelUnpaidAfter": null,
        });
        for field in ["id", "createdAt", "updatedAt"] {
            expected[field] = made.json[field].clone();
        }
        assert_eq!(made.json, expected);
        assert_eq!(shop.staff().get(&format!("/channels/{}", made.text("/id"))).ok().json, expected);
    }

    fn a_handle_belongs_to_one_channel(shop) {
        let input = json!({ "handle": "main", "name": "Twice", "currency": "EUR", "countries": ["DE"] });
        shop.unchanged(|| shop.staff().post("/channels", input).refused(409, "ALREADY_EXISTS").about("/handle", "taken"));
    }

    fn a_change_leaves_what_it_does_not_name(shop) {
        let path = format!("/channels/{}", shop.channel);
        let before = shop.staff().get(&path).ok().json;
        shop.wait(std::time::Duration::from_mins(1));
        let changed = shop.staff().patch(&path, json!({ "holdMinutes": 30 })).ok();
        let mut expected = before.clone();
        expected["holdMinutes"] = json!(30);
        expected["version"] = json!(2);
        expected["updatedAt"] = changed.json["updatedAt"].clone();
        assert_eq!(changed.json, expected);
        assert!(changed.text("/updatedAt") > before["updatedAt"].as_str().unwrap());
    }

    fn what_a_channel_must_have_cannot_be_emptied(shop) {
        let path = format!("/channels/{}", shop.channel);
        for (field, pointer) in [("name", "/name"), ("currencies", "/currencies"), ("holdMinutes", "/holdMinutes")] {
            shop.staff().patch(&path, json!({ field: null })).refused(422, "VALIDATION_FAILED").about(pointer, "null");
        }
        let without_its_own = json!({ "currencies": ["GBP"] });
        shop.staff().patch(&path, without_its_own).refused(422, "VALIDATION_FAILED").about("/currencies", "default_missing");
        assert_eq!(shop.staff().get(&path).ok().at("/version"), &json!(1));
    }

    fn of_many_changes_to_one_version_one_succeeds(shop) {
        let path = format!("/channels/{}", shop.channel);
        let staff = shop.staff();
        let etag = staff.get(&path).ok().etag().to_owned();
        let answers = concurrently(8, |i| {
            staff.if_match(&etag).patch(&path, json!({ "name": format!("Name {i}") })).status
        });
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|status| **status == 412).count(), 7, "{answers:?}");
        assert_eq!(staff.get(&path).ok().at("/version"), &json!(2));
    }

    fn a_shop_front_sees_its_own_channel_alone(shop) {
        let other = shop.another_channel("other");
        let seen = shop.storefront().get("/channels").ok();
        assert_eq!(seen.at("/items").as_array().unwrap().len(), 1);
        assert_eq!(seen.text("/items/0/id"), shop.channel.to_string());
        let theirs = shop.storefront_of(other["id"].as_str().unwrap());
        assert_eq!(theirs.get("/channels").ok().at("/items/0/handle"), &other["handle"]);
        assert_eq!(shop.staff().get("/channels").ok().at("/items").as_array().unwrap().len(), 2);
    }

    fn a_list_is_read_page_by_page_without_gaps_or_repeats(shop) {
        for i in 0..4 {
            shop.another_channel(&format!("c{i}"));
        }
        let mut handles = Vec::new();
        let mut after = String::new();
        loop {
            let page = shop.staff().get(&format!("/channels?limit=2{after}")).ok();
            handles.extend(page.at("/items").as_array().unwrap().iter().map(|c| c["handle"].as_str().unwrap().to_owned()));
            match page.at("/page/nextCursor").as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
        assert_eq!(handles, ["main", "c0", "c1", "c2", "c3"]);
    }

    fn the_statements_of_a_list_do_not_grow_with_its_rows(shop) {
        let staff = shop.staff();
        let ask = |limit: usize| {
            shop.statements(&staff, |staff| staff.get(&format!("/channels?limit={limit}")).ok()).1
        };
        let few = ask(1);
        for i in 0..5 {
            shop.another_channel(&format!("c{i}"));
        }
        assert_eq!((few, ask(100)), (1, 1));
    }
}
