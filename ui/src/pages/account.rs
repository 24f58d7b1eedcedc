//! The way to an account at EC2 that is ready for relays: three steps, and what is in the way.

use crate::look::{FAR, NEAR, palette};
use crate::model::account::policy;
use crate::model::{Account, Command, Looked, Model, SetUp};
use crate::widgets::{heading, quiet};
use banyan::file::Cloud as Site;
use eframe::egui::{Color32, RichText, ScrollArea, Ui};

/// Height of the policy, which is long.
const POLICY: f32 = 180.0;

/// All of it, for the region that is set.
pub(super) fn guide(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let region = model.settings.region.trim().to_owned();
    heading(ui, "Your account at Amazon EC2");
    verdict(ui, &model.account);
    ui.label("Three steps, once. Checking starts nothing, changes nothing and costs nothing.");
    step(ui, "1. Sign in");
    ui.label(
        "On this computer, in a terminal: aws login. Or name a profile with AWS_PROFILE before you start Banyan. It uses that \
         sign-in, and neither keeps it nor sends it anywhere.",
    );
    step(ui, "2. Allow what relays need");
    ui.label(
        "In the AWS console: IAM, the user or role of that sign-in, Add permissions, Create inline policy, JSON; paste this, \
         and give it a name. It allows relays and nothing else.",
    );
    show_policy(ui, &model.site, &region, out);
    step(ui, "3. Check");
    check(ui, &region, &mut model.account, out);
}

fn step(ui: &mut Ui, name: &str) {
    ui.add_space(FAR / 2.0);
    ui.label(RichText::new(name).strong());
}

fn show_policy(ui: &mut Ui, site: &Site, region: &str, out: &mut Vec<Command>) {
    let policy = match policy(site, region) {
        Ok(policy) => policy,
        Err(complaint) => {
            ui.colored_label(palette(ui.ctx()).bad, complaint);
            return;
        }
    };
    if quiet(ui, "Copy the policy").clicked() {
        out.push(Command::Copy(policy.clone()));
    }
    ui.collapsing("Show the policy", |ui| {
        let scroll = ScrollArea::vertical().max_height(POLICY).id_salt("policy");
        scroll.show(ui, |ui| ui.label(RichText::new(policy).monospace()));
    });
}

/// The button, and what came of it; also part of the question whether to sponsor.
pub(super) fn check(ui: &mut Ui, region: &str, account: &mut Account, out: &mut Vec<Command>) {
    match account {
        Account::Checking => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Looking at your account …");
            });
            return;
        }
        Account::Unknown => {}
        Account::Failed(why) => {
            ui.colored_label(palette(ui.ctx()).bad, &*why);
        }
        Account::Looked(looked) => findings(ui, looked),
    }
    let name = match account {
        Account::Unknown => "Check my account",
        _ => "Check again",
    };
    if quiet(ui, name).clicked() {
        out.push(Command::CheckAccount(region.to_owned()));
        *account = Account::Checking;
    }
}

/// How far the set-up is, as far as that was looked at.
pub(super) fn verdict(ui: &mut Ui, account: &Account) {
    let Account::Looked(looked) = account else { return };
    let colours = palette(ui.ctx());
    let colour = match looked.set_up() {
        SetUp::Ready => colours.good,
        _ => colours.warn,
    };
    ui.colored_label(colour, looked.words());
}

fn findings(ui: &mut Ui, looked: &Looked) {
    let colours = palette(ui.ctx());
    for finding in &looked.findings {
        let (mark, colour) = match finding.good {
            Some(true) => ("good", colours.good),
            Some(false) => ("missing", colours.bad),
            None => ("later", colours.faint),
        };
        line(
            ui,
            mark,
            colour,
            &format!("{}: {}.", finding.what, finding.sentence),
        );
    }
    ui.add_space(NEAR);
}

fn line(ui: &mut Ui, mark: &str, colour: Color32, text: &str) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(mark).strong().color(colour));
        ui.label(text);
    });
}
