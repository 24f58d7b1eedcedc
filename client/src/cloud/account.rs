//! `banyan cloud …`: whether an account is ready for relays, and how it gets so.

use super::{child, relays};
use crate::args::{Account, Cloud, Provider};
use crate::config;
use crate::error::Error;
use crate::file;
use crate::folders::Folders;
use banyan_cloud::child::Cloud as CloudChild;
use banyan_cloud::ec2::image::Wish as ImageWish;
use banyan_cloud::ec2::policy::{Scope, policy};
use banyan_cloud::ec2::{Finding, KINDS, PORT};
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_cloud::plan::{Limits, Plan};
use banyan_cloud::provider::{Kind, Order, Wish};
use banyan_cloud::region::Region;
use banyan_protocol::id::PublicKey;
use banyan_protocol::role::relay::boot::{Boot, Enrol, Key, Version};
use banyan_protocol::wire::lease::Lease;
use serde_json::json;
use std::io::{self, Write};
use std::net::Ipv6Addr;
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
        Cloud::Policy(account) => print_policy(&account, &site),
        Cloud::Check(account) => {
            let (plan, findings) = look(&account, &site, folders).await?;
            tell(&account, &plan, &findings)
        }
        Cloud::Image { make: true, account } => make(&account, &site, folders).await,
        Cloud::Image { make: false, account } => {
            let (plan, findings) = look(&account, &site, folders).await?;
            // Without a sign-in there is that to say instead.
            let is_image = |finding: &&Finding| finding.what == "image" || finding.good == Some(false);
            let findings: Vec<Finding> = findings.iter().filter(is_image).cloned().collect();
            tell(&account, &plan, &findings)
        }
    }
}

/// How long the machine that makes an image may run.
const BUILDS_WITHIN: Duration = Duration::from_secs(1800);

async fn make(account: &Account, site: &file::Cloud, folders: &Folders) -> Result<(), Error> {
    let wish = Wish {
        limits: Limits {
            hours: BUILDS_WITHIN,
            ..LIMITS
        },
        region: region(account)?,
        near: Vec::new(),
        kinds: site.types.clone(),
    };
    let cloud = child::start(folders, false)?;
    let made = build(&cloud, wish, account, site).await;
    cloud.close().await;
    made
}

/// Tells first what it costs.
async fn build(cloud: &CloudChild, wish: Wish, account: &Account, site: &file::Cloud) -> Result<(), Error> {
    let plan = cloud.plan(Kind::Ec2, wish).await?;
    let region = plan.region.clone();
    eprintln!(
        "banyan: a machine at {} an hour makes the image, for some minutes; the image is then kept",
        plan.hourly
    );
    let image = ImageWish {
        makes: true,
        ..site.image()
    };
    let order = Order {
        provider: Kind::Ec2,
        boot: builders(&plan),
        plan,
        image,
        subnet: site.subnet.clone(),
    };
    cloud.launch(order, None).await?;
    let (_, images, _) = cloud.list(Some(Kind::Ec2), region.into_iter().collect()).await?;
    for kept in images.iter().filter(|kept| !kept.superseded) {
        relays::tell_image(account.json, "image", kept)?;
    }
    Ok(())
}

/// A machine that makes an image is told nothing of a channel, and serves nobody: all that counts of it is the lease, in its tags.
fn builders(plan: &Plan) -> Boot {
    let nobody = Key(PublicKey([0; 32]));
    let ends = banyan_cloud::clock::now().after(BUILDS_WITHIN);
    Boot {
        version: Version,
        channel: nobody,
        sponsor: nobody,
        lease: Lease {
            id: banyan_cloud::random::lease_id(),
            ends,
            bytes: plan.bytes,
        },
        enrol: Enrol {
            secret: banyan_cloud::random::enrol_secret(),
            until: ends,
        },
        listen: (Ipv6Addr::UNSPECIFIED, PORT).into(),
        uplink_bps: None,
    }
}

fn print_policy(account: &Account, site: &file::Cloud) -> Result<(), Error> {
    Ok(writeln!(io::stdout(), "{}", policy_for(account, site)?)?)
}

/// The least that relays need of an account, as a policy to attach.
pub(super) fn policy_for(account: &Account, site: &file::Cloud) -> Result<String, Error> {
    let usual = || KINDS.map(str::to_owned).to_vec();
    let scope = Scope {
        region: region(account)?,
        kinds: if site.types.is_empty() {
            usual()
        } else {
            site.types.clone()
        },
    };
    Ok(policy(&scope))
}

fn region(account: &Account) -> Result<Option<Region>, Error> {
    if account.provider == Provider::Local {
        return Err(Error::Usage(
            "a relay on this machine needs no account; --provider is ec2 here".into(),
        ));
    }
    config::region(Some(&account.region))
}

/// Looks at an account by dry runs, and plans the relay that a viewer is proposed.
pub(super) async fn look(
    account: &Account,
    site: &file::Cloud,
    folders: &Folders,
) -> Result<(Plan, Vec<Finding>), Error> {
    let wish = Wish {
        limits: LIMITS,
        region: region(account)?,
        near: Vec::new(),
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
    for Finding {
        what, good, sentence, ..
    } in findings
    {
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
