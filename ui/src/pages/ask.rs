//! The question whether this person sponsors a relay: calm, with everything that an answer needs, and without tricks.

use crate::look::{NEAR, palette};
use crate::model::{Account, Command, Model, Provider, Reply, Request, sentence};
use crate::widgets::{field, heading, primary, quiet};
use eframe::egui::{Id, Modal, RichText, ScrollArea, Slider, Ui};

const WIDTH: f32 = 460.0;

/// Height of what it costs and the answers, which are seen however little room there is.
const ANSWERS: f32 = 140.0;

/// Around all of it.
const MARGIN: f32 = 72.0;

/// The least height of the rest, which scrolls.
const QUESTION_LEAST: f32 = 60.0;

pub(super) fn show(ui: &mut Ui, model: &mut Model, out: &mut Vec<Command>) {
    let room = ui.ctx().content_rect();
    let Some(request) = &mut model.request else {
        return;
    };
    let (account, profile) = (&mut model.account, &model.profile);
    let mut reply = None;
    Modal::new(Id::unique("sponsor request")).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH.min(room.width() - 64.0));
        let height = (room.height() - MARGIN - ANSWERS).max(QUESTION_LEAST);
        ScrollArea::vertical().max_height(height).show(ui, |ui| {
            question(ui, request);
            terms(ui, request, account, profile, out);
        });
        let can = cost(ui, request);
        reply = answers(ui, request, can);
    });
    if let Some(reply) = reply {
        if let (Reply::Sponsor(terms), Some(watching)) = (&reply, &mut model.watching) {
            watching.relays_run_on = terms.runs_on;
        }
        out.push(Command::Answer(request.id.clone(), reply));
        model.request = None;
    }
}

fn question(ui: &mut Ui, request: &Request) {
    heading(ui, "Would you sponsor a relay?");
    ui.label(sentence(&request.reason));
    ui.label(RichText::new(request.effect()).strong());
    ui.add_space(NEAR);
}

fn terms(ui: &mut Ui, request: &mut Request, account: &mut Account, profile: &str, out: &mut Vec<Command>) {
    let chosen = &mut request.terms;
    field::choice(ui, "Where it runs", &mut chosen.provider, &Provider::ALL);
    let hours = Slider::new(&mut chosen.hours, 0.25..=8.0)
        .step_by(0.25)
        .suffix(" h");
    field::slider(ui, "At most this long", hours);
    if chosen.provider == Provider::Ec2 {
        let budget = Slider::new(&mut chosen.budget_usd, 0.05..=20.0).logarithmic(true);
        field::slider(ui, "At most this much", budget.prefix("$").fixed_decimals(2));
        field::text(
            ui,
            "Region (empty: the nearest)",
            "eu-central-1",
            &mut chosen.region,
        );
        ui.label(format!(
            "It runs in the account of this computer's sign-in to AWS, “{profile}”."
        ));
        super::account::verdict(ui, account);
        super::account::check(ui, &chosen.region, account, out);
    }
    let leaving = match request.terms.runs_on {
        true => "You can end it at any time. When you leave, it runs on to its end.",
        false => "You can end it at any time. When you leave, it hands over and ends.",
    };
    ui.label(RichText::new(leaving).weak());
}

/// What it costs; gives whether a relay can be had on these terms.
fn cost(ui: &mut Ui, request: &Request) -> bool {
    ui.add_space(NEAR);
    let cost = request.cost();
    match &cost {
        Ok(cost) => ui.label(cost),
        Err(complaint) => ui.colored_label(palette(ui.ctx()).bad, complaint),
    };
    cost.is_ok()
}

fn answers(ui: &mut Ui, request: &Request, can: bool) -> Option<Reply> {
    let mut reply = None;
    ui.add_space(NEAR);
    ui.horizontal_wrapped(|ui| {
        if ui
            .add_enabled_ui(can, |ui| primary(ui, "Sponsor"))
            .inner
            .clicked()
        {
            reply = Some(Reply::Sponsor(request.terms.clone()));
        }
        if quiet(ui, "Not now").clicked() {
            reply = Some(Reply::NotNow);
        }
        if quiet(ui, "Don't ask again").clicked() {
            reply = Some(Reply::Never);
        }
    });
    ui.label(
        RichText::new(format!(
            "The question is open for {} more seconds.",
            request.seconds_left
        ))
        .weak(),
    );
    reply
}
