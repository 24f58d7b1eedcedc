//! `banyan cloud …`: whether an account is ready for relays, and how it gets so.

use super::child;
use crate::args::{Account, Cloud, Provider};
use crate::config;
use crate::error::Error;
use crate::file;
use crate::folders::Folders;
use banyan_cloud::ec2::policy::{Scope, policy};
use banyan_cloud::ec2::{Finding, KINDS};
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_cloud::plan::{Limits, Plan};
use banyan_cloud::provider::Wish;
use banyan_cloud::region::Region;
use serde_json::json;
use std::io::{self, Write};
use std::time::Duration;

/// What is checked is checked for the proposal that a viewer gets.
const LIMITS: Limits = Limits {
    hours: Duration::from_secs(3600),
    budget: Usd::from_cents(100),
};

/// Does what was asked.
///
/// # Errors
/// [`Error::Cloud`] if the account is not ready, or nobody answers.
pub(crate) async fn run(what: Cloud, site: file::Cloud, folders: &Folders) -> Result<(), Error> {
    match what {
        Cloud::Policy(account) => print_policy(&account),
        Cloud::Check(account) => {
            let (plan, findings) = look(&account, &site, folders).await?;
            tell(&account, &plan, &findings)
        }
        Cloud::Image(account) => {
            let (plan, findings) = look(&account, &site, folders).await?;
            // Without a sign-in there is that to say instead.
            let is_image = |finding: &&Finding| finding.what == "image" || finding.good == Some(false);
            let findings: Vec<Finding> = findings.iter().filter(is_image).cloned().collect();
            tell(&account, &plan, &findings)
        }
    }
}

fn print_policy(account: &Account) -> Result<(), Error> {
    let scope = Scope {
        region: region(account)?,
        kinds: KINDS.map(str::to_owned).to_vec(),
    };
    Ok(writeln!(io::stdout(), "{}", policy(&scope))?)
}

fn region(account: &Account) -> Result<Option<Region>, Error> {
    if account.provider == Provider::Local {
        return Err(Error::Usage(
            "a relay on this machine needs no account; --provider is ec2 here".into(),
        ));
    }
    config::region(Some(&account.region))
}

async fn look(
    account: &Account,
    site: &file::Cloud,
    folders: &Folders,
) -> Result<(Plan, Vec<Finding>), Error> {
    let wish = Wish {
        limits: LIMITS,
        region: region(account)?,
        kinds: site.types.clone(),
    };
    let cloud = child::start(folders, false)?;
    let checked = cloud.check(wish, site.image()).await;
    cloud.close().await;
    Ok(checked?)
}

fn tell(account: &Account, plan: &Plan, findings: &[Finding]) -> Result<(), Error> {
    let mut output = io::stdout();
    let region = plan.region.as_ref().map_or("", Region::as_str);
    if !account.json {
        writeln!(
            output,
            "{region} ({}), {} an hour and {} a gigabyte, prices of {}",
            plan.place, plan.hourly, plan.egress_gb, plan.prices_of
        )?;
    }
    for Finding { what, good, sentence } in findings {
        if account.json {
            let line = json!({"event": "cloud-check", "region": region, "what": what, "good": good, "sentence": sentence});
            writeln!(output, "{line}")?;
        } else {
            let mark = match good {
                Some(true) => "good",
                Some(false) => "MISSING",
                None => "later",
            };
            writeln!(output, "{mark:>8}  {what}: {sentence}")?;
        }
    }
    match findings.iter().find(|finding| finding.good == Some(false)) {
        None => Ok(()),
        Some(missing) => Err(Failure::new(Why::Refused, missing.sentence.clone()).into()),
    }
}
