//! The set-up of an account at EC2.

use crate::{click, on, show};
use banyan_cloud::failure::Why;
use banyan_tv::model::{Account, Command, Page, Provider, samples};
use egui_kittest::kittest::Queryable;

#[test]
fn the_set_up_of_an_account_is_guided() {
    let mut harness = show(samples::setting_up(Account::Unknown));
    click(&mut harness, "Copy the policy");
    let [Command::Copy(policy)] = &harness.state().commands[..] else {
        panic!("{:?}", harness.state().commands);
    };
    assert_eq!(
        *policy,
        banyan::cloud::desk::policy(&Default::default(), "eu-central-1").unwrap()
    );
    click(&mut harness, "Check my account");
    assert_eq!(
        harness.state().commands[1..],
        [Command::CheckAccount("eu-central-1".into())]
    );
    assert_eq!(harness.state().model.account, Account::Checking);
}

#[test]
fn the_set_up_is_found_by_who_has_none() {
    let mut harness = show(on(Page::Relays, samples::known()));
    click(&mut harness, "Set it up");
    assert!(matches!(&harness.state().commands[..], [Command::Keep(kept)] if kept.provider == Provider::Ec2));
    assert!(harness.query_by_label("Your account at Amazon EC2").is_some());
}

#[test]
fn what_an_account_lacks_is_said_and_checked_again() {
    let states = [
        (Some(Why::NoCredentials), "there is no sign-in"),
        (Some(Why::Expired), "Your sign-in has expired"),
        (Some(Why::Unauthorized), "A permission is missing"),
        (None, "region eu-central-1. Frankfurt: $0.0208 an hour"),
    ];
    for (why, words) in states {
        let mut harness = show(samples::setting_up(samples::account(why)));
        assert!(harness.query_by_label_contains(words).is_some(), "{words}");
        click(&mut harness, "Check again");
        assert_eq!(harness.state().model.account, Account::Checking);
    }
}
