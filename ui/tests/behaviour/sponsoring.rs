//! Relays: the question, the meter, and leaving.

use crate::{Shown, click, on, show};
use banyan_tv::model::{Closing, Command, Page, Provider, RelayOrder, Reply, Terms, samples};
use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

#[test]
fn who_is_asked_sees_what_it_costs_before_a_yes() {
    let mut harness = show(samples::asked());
    assert!(
        harness
            .query_by_label_contains("6 people get the full picture back")
            .is_some()
    );
    assert!(harness.query_by_label_contains("never more than $1.00").is_some());
    click(&mut harness, "Sponsor");
    let [Command::Answer(id, Reply::Sponsor(terms))] = &harness.state().commands[..] else {
        panic!("{:?}", harness.state().commands);
    };
    assert_eq!((id.as_str(), terms), ("r1", &samples::request().terms));
    assert_eq!(harness.state().model.request, None);
}

#[test]
fn a_no_is_a_no() {
    for (button, reply) in [("Not now", Reply::NotNow), ("Don't ask again", Reply::Never)] {
        let mut harness = show(samples::asked());
        click(&mut harness, button);
        assert_eq!(harness.state().commands, [Command::Answer("r1".into(), reply)]);
    }
}

#[test]
fn what_should_not_run_can_be_ended() {
    let mut harness = show(samples::sponsoring());
    click(&mut harness, "End all that should not run");
    click(&mut harness, "Stop now: 11ab");
    assert_eq!(
        harness.state().commands,
        [
            Command::Relay(RelayOrder::Sweep),
            Command::Relay(RelayOrder::Stop("11ab".into()))
        ]
    );
}

#[test]
fn an_own_relay_is_extended_stopped_and_let_run_on() {
    let mut harness = show(samples::sponsoring());
    let said = "It serves 7 people, you among them. Its lease has 38 min left.";
    assert!(
        harness.query_by_label(said).is_some(),
        "whom it serves, and for how long"
    );
    click(&mut harness, "Run 1 h longer");
    click(&mut harness, "Stop it now");
    harness
        .get_by_label("When I leave, let it run on to the end of its lease")
        .click();
    harness.run_steps(3);
    assert_eq!(
        harness.state().commands,
        [
            Command::Relay(RelayOrder::Extend("9f2c".into(), 60)),
            Command::Relay(RelayOrder::Stop("9f2c".into())),
            Command::RunOn(true)
        ]
    );
}

#[test]
fn the_way_from_the_picture_to_the_relay_is_one_click() {
    let mut harness = show(samples::sponsor_watching());
    click(&mut harness, "Stop or extend it");
    assert_eq!(harness.state().model.page, Page::Relays);
}

#[test]
fn who_leaves_with_a_relay_chooses_what_becomes_of_it() {
    let choices = [
        ("Stop it now", vec![Command::RunOn(false), Command::Leave]),
        (
            "Let it run to the end",
            vec![Command::RunOn(true), Command::Leave],
        ),
        ("Stay", vec![]),
    ];
    for (choice, commands) in choices {
        let mut harness = show(samples::sponsor_watching());
        click(&mut harness, "Leave");
        assert_eq!(harness.state().commands, [], "nothing happens without an answer");
        click(&mut harness, choice);
        assert_eq!(harness.state().commands, commands);
        assert_eq!(harness.state().model.leaving, None);
    }
}

#[test]
fn ctrl_q_ends_the_program_and_asks_first_if_a_relay_runs() {
    let mut harness = show(samples::watch());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Q);
    harness.run_steps(2);
    assert_eq!(harness.state().commands, [Command::Quit]);
    let mut harness = show(samples::sponsor_watching());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Q);
    harness.run_steps(3);
    click(&mut harness, "Let it run to the end");
    assert_eq!(harness.state().commands, [Command::RunOn(true), Command::Quit]);
}

#[test]
fn what_it_costs_follows_what_is_chosen() {
    let mut model = samples::asked();
    model.profile = "film-club".into();
    let terms = &mut model.request.as_mut().unwrap().terms;
    terms.provider = Provider::Local;
    let mut harness = show(model);
    assert!(
        harness
            .query_by_label_contains("costs nothing but this computer")
            .is_some()
    );
    let terms = |harness: &mut Harness<'_, Shown>, change: fn(&mut Terms)| {
        change(&mut harness.state_mut().model.request.as_mut().unwrap().terms);
        harness.run_steps(3);
    };
    terms(&mut harness, |terms| terms.provider = Provider::Ec2);
    assert!(harness.query_by_label_contains("Prices of Frankfurt").is_some());
    assert!(harness.query_by_label_contains("$0.00").is_none());
    assert!(
        harness.query_by_label_contains("“film-club”").is_some(),
        "whose account"
    );
    terms(&mut harness, |terms| {
        (terms.hours, terms.budget_usd) = (8.0, 0.05)
    });
    assert!(
        harness
            .query_by_label_contains("too little for so long")
            .is_some()
    );
    let yes = harness.get_by_role_and_label(Role::Button, "Sponsor");
    assert!(
        yes.accesskit_node().is_disabled(),
        "a relay that cannot be had is not agreed to"
    );
}

#[test]
fn what_runs_is_looked_at_again_and_again_while_the_page_is_open() {
    let mut harness = show(samples::sponsoring());
    let looks = |harness: &Harness<'_, Shown>| {
        let look = |command: &&Command| **command == Command::Relay(RelayOrder::Look);
        harness.state().commands.iter().filter(look).count()
    };
    assert_eq!(looks(&harness), 0, "opening the page has looked");
    for seconds in [25.0, 50.0] {
        harness.input_mut().time = Some(seconds);
        harness.run_steps(2);
    }
    assert_eq!(looks(&harness), 2);
    let mut harness = show(on(Page::Relays, samples::empty()));
    harness.input_mut().time = Some(100.0);
    harness.run_steps(2);
    assert_eq!(looks(&harness), 0, "what is not there does not change");
}

#[test]
fn a_window_that_closes_says_what_it_waits_for_and_what_went_wrong() {
    let mut model = samples::known();
    model.close();
    let mut harness = show(model);
    assert!(harness.query_by_label("Leaving …").is_some());
    click(&mut harness, "Close the window now");
    assert_eq!(harness.state().commands, [Command::Close]);
    let why = "the provider does not say that the relay has ended";
    let closing = Closing {
        failures: vec![why.into()],
        is_over: true,
    };
    harness.state_mut().model.closing = Some(closing);
    harness.run_steps(3);
    assert!(harness.query_by_label(why).is_some());
    click(&mut harness, "Close");
    assert_eq!(harness.state().commands.len(), 2);
}
