//! EC2 by Amazon's SDK: the one place that knows it, and the one where credentials are read.

mod answer;
mod refusal;
mod run;

use super::call::{Answer, Api, Architecture, Call, NoCredentials, Refusal, Tags};
use super::tags;
use crate::region::Region;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::ProvideCredentials;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::create_security_group::builders::CreateSecurityGroupFluentBuilder;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Ipv6Range, ResourceType, Tag, TagSpecification};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long an answer may take. EC2 needs two seconds for the slowest; who decides asks again.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// Amazon's SDK with the person's own credentials.
pub(crate) struct Sdk {
    config: SdkConfig,
    clients: Mutex<BTreeMap<Region, Client>>,
}

impl std::fmt::Debug for Sdk {
    /// Nothing of the configuration: it leads to credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sdk(…)")
    }
}

impl Sdk {
    /// With whatever sign-in the environment, the profile, SSO or `aws login` gives. Asks nobody yet.
    pub(crate) async fn load() -> Self {
        let https = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_WITHIN)
            .operation_timeout(ANSWER_WITHIN)
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https)
            .timeout_config(timeouts)
            // What is asked again, and when, is decided where it is known whether it may have been done.
            .retry_config(RetryConfig::disabled())
            .load()
            .await;
        Self {
            config,
            clients: Mutex::default(),
        }
    }

    /// The region of the profile or the environment.
    pub(crate) fn region(&self) -> Option<Region> {
        self.config.region()?.as_ref().parse().ok()
    }

    /// Whether all regions are to be asked at one address, as test rigs and private clouds are.
    pub(crate) fn has_own_endpoint(&self) -> bool {
        let named = ["AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL"];
        self.config.endpoint_url().is_some() || named.iter().any(|name| std::env::var_os(name).is_some())
    }

    fn client(&self, region: &Region) -> Client {
        let mut clients = self.clients.lock().expect("nobody panics with it");
        let fresh = || {
            let region = aws_config::Region::new(region.as_str().to_owned());
            let config = aws_sdk_ec2::config::Builder::from(&self.config).region(region);
            Client::from_conf(config.build())
        };
        clients.entry(region.clone()).or_insert_with(fresh).clone()
    }

    /// Why there are no credentials, if that is what is wrong.
    async fn no_credentials(&self) -> Option<NoCredentials> {
        let Some(provider) = self.config.credentials_provider() else {
            return Some(NoCredentials::None);
        };
        match provider.provide_credentials().await {
            Ok(_) => None,
            Err(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) => {
                Some(NoCredentials::None)
            }
            Err(_) => Some(NoCredentials::Stale),
        }
    }

    async fn refusal<E: ProvideErrorMetadata>(&self, error: SdkError<E>) -> Refusal {
        match refusal::of(&error) {
            Some(refusal) => refusal,
            // It broke before a request went out, or on its way.
            None => match self.no_credentials().await {
                Some(none) => Refusal::NoCredentials(none),
                None => Refusal::NoAnswer(refusal::transport(&error).to_owned()),
            },
        }
    }
}

/// Awaits a request, and puts its refusal into our words.
macro_rules! ask {
    ($self:ident, $request:expr) => {
        match $request.send().await {
            Ok(output) => output,
            Err(error) => return Err($self.refusal(error).await),
        }
    };
}

impl Api for Sdk {
    async fn call(&self, region: &Region, call: &Call) -> Result<Answer, Refusal> {
        let client = self.client(region);
        match call {
            Call::Subnets { chosen } => self.subnets(&client, chosen.as_deref()).await,
            Call::Images {
                owner,
                name,
                architecture,
            } => self.images(&client, owner, name, *architecture).await,
            Call::OwnImages => {
                let request = client.describe_images().owners("self").filters(ours());
                Ok(answer::images(ask!(self, request).images()))
            }
            Call::MakeImage { handle, name, tags } => {
                let request = client.create_image().instance_id(handle).name(name);
                let request = [ResourceType::Image, ResourceType::Snapshot]
                    .into_iter()
                    .fold(request, |request, kind| {
                        request.tag_specifications(specification(kind, tags))
                    });
                Ok(Answer::Image(
                    ask!(self, request).image_id().unwrap_or_default().to_owned(),
                ))
            }
            Call::DropImage { image } => {
                ask!(self, client.deregister_image().image_id(image));
                Ok(Answer::Done)
            }
            Call::DropSnapshot { snapshot } => {
                ask!(self, client.delete_snapshot().snapshot_id(snapshot));
                Ok(Answer::Done)
            }
            Call::Groups { network, name } => self.groups(&client, network, name).await,
            Call::MakeGroup {
                network,
                name,
                tags,
                dry,
            } => {
                let output = ask!(self, make_group(&client, network, name, tags).dry_run(*dry));
                Ok(Answer::Group(output.group_id().unwrap_or_default().to_owned()))
            }
            Call::OpenGroup { group, port } => self.open_group(&client, group, *port).await,
            Call::Run { run, dry } => {
                let output = ask!(self, run::request(&client, run).dry_run(*dry));
                Ok(answer::instances(output.instances()))
            }
            Call::Look { handle } => {
                let output = ask!(self, client.describe_instances().instance_ids(handle));
                Ok(answer::reservations(output.reservations()))
            }
            Call::Find { tag, value } => self.find(&client, tag, value).await,
            Call::End { handle, dry } => {
                let output = ask!(
                    self,
                    client.terminate_instances().instance_ids(handle).dry_run(*dry)
                );
                Ok(answer::changes(output.terminating_instances()))
            }
            Call::Mark { handle, ends, dry } => {
                let tag = Tag::builder()
                    .key(tags::ENDS)
                    .value(ends.as_secs().to_string())
                    .build();
                let request = client.create_tags().resources(handle).tags(tag).dry_run(*dry);
                ask!(self, request);
                Ok(Answer::Done)
            }
        }
    }
}

impl Sdk {
    async fn subnets(&self, client: &Client, chosen: Option<&str>) -> Result<Answer, Refusal> {
        let request = client.describe_subnets();
        let request = match chosen {
            Some(subnet) => request.filters(filter("subnet-id", subnet)),
            None => request.filters(filter("default-for-az", "true")),
        };
        let output = ask!(self, request);
        Ok(answer::subnets(output.subnets()))
    }

    async fn images(
        &self,
        client: &Client,
        owner: &str,
        name: &str,
        architecture: Architecture,
    ) -> Result<Answer, Refusal> {
        let request = client
            .describe_images()
            .owners(owner)
            .filters(filter("name", name))
            .filters(filter("architecture", architecture.ec2()))
            .filters(filter("state", "available"));
        let output = ask!(self, request);
        Ok(answer::images(output.images()))
    }

    async fn groups(&self, client: &Client, network: &str, name: &str) -> Result<Answer, Refusal> {
        let request = client
            .describe_security_groups()
            .filters(filter("vpc-id", network))
            .filters(filter("group-name", name))
            .filters(ours());
        let output = ask!(self, request);
        Ok(answer::groups(output.security_groups()))
    }

    async fn open_group(&self, client: &Client, group: &str, port: u16) -> Result<Answer, Refusal> {
        let permission = IpPermission::builder()
            .ip_protocol("udp")
            .from_port(port.into())
            .to_port(port.into())
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
            .ipv6_ranges(Ipv6Range::builder().cidr_ipv6("::/0").build())
            .build();
        let request = client
            .authorize_security_group_ingress()
            .group_id(group)
            .ip_permissions(permission);
        ask!(self, request);
        Ok(Answer::Done)
    }

    async fn find(&self, client: &Client, tag: &str, value: &str) -> Result<Answer, Refusal> {
        let mut all = Vec::new();
        let mut token = None;
        // An account with more pages of relays than this has other worries.
        for _ in 0..PAGES_MAX {
            let request = client
                .describe_instances()
                .filters(filter(&format!("tag:{tag}"), value))
                .filters(ours())
                .set_next_token(token);
            let output = ask!(self, request);
            all.extend_from_slice(output.reservations());
            token = output.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(answer::reservations(&all))
    }
}

const PAGES_MAX: usize = 20;

fn make_group(client: &Client, network: &str, name: &str, tags: &Tags) -> CreateSecurityGroupFluentBuilder {
    client
        .create_security_group()
        .group_name(name)
        .description("Banyan relays: one UDP port")
        .vpc_id(network)
        .tag_specifications(specification(ResourceType::SecurityGroup, tags))
}

/// What is ours by its tag.
fn ours() -> Filter {
    filter(&format!("tag:{}", tags::APP), tags::APP_RELAY)
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The tags of one kind of thing that a call makes.
fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(*key).value(value).build());
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tags.collect()))
        .build()
}
