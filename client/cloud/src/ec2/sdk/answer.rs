//! EC2's answers in our words. What lacks a name is left out: nothing could be done with it.

use crate::ec2::call::{Answer, Group, Image, Instance, InstanceState, Subnet};
use aws_sdk_ec2::types::{self, InstanceStateName};
use banyan_protocol::time::Utc;

pub(super) fn subnets(subnets: &[types::Subnet]) -> Answer {
    let subnet = |subnet: &types::Subnet| {
        Some(Subnet {
            id: subnet.subnet_id()?.to_owned(),
            zone: subnet.availability_zone()?.to_owned(),
            network: subnet.vpc_id()?.to_owned(),
        })
    };
    let mut subnets: Vec<Subnet> = subnets.iter().filter_map(subnet).collect();
    // EC2 lists them in any order; the same launch must try them in the same.
    subnets.sort_by(|a, b| (&a.zone, &a.id).cmp(&(&b.zone, &b.id)));
    Answer::Subnets(subnets)
}

pub(super) fn images(images: &[types::Image]) -> Answer {
    let image = |image: &types::Image| {
        Some(Image {
            id: image.image_id()?.to_owned(),
            name: image.name().unwrap_or_default().to_owned(),
            created: image.creation_date().unwrap_or_default().to_owned(),
            root: image.root_device_name()?.to_owned(),
            gib: root_size(image),
            snapshot: root(image).and_then(|disk| disk.snapshot_id().map(str::to_owned)),
            architecture: image.architecture().map_or("", |kind| kind.as_str()).to_owned(),
        })
    };
    Answer::Images(images.iter().filter_map(image).collect())
}

/// The size of the root volume; eight gibibytes where it is not said, as Debian's.
fn root_size(image: &types::Image) -> i32 {
    root(image)
        .and_then(types::EbsBlockDevice::volume_size)
        .unwrap_or(8)
}

fn root(image: &types::Image) -> Option<&types::EbsBlockDevice> {
    let root = image.root_device_name();
    let mappings = image.block_device_mappings().iter();
    mappings
        .filter(|mapping| mapping.device_name() == root)
        .find_map(types::BlockDeviceMapping::ebs)
}

pub(super) fn groups(groups: &[types::SecurityGroup]) -> Answer {
    let group = |group: &types::SecurityGroup| {
        let lets_in = group.ip_permissions().iter().map(|permission| {
            let protocol = permission.ip_protocol().unwrap_or_default().to_owned();
            let port = |port: Option<i32>| port.unwrap_or(-1);
            (protocol, port(permission.from_port()), port(permission.to_port()))
        });
        Some(Group {
            id: group.group_id()?.to_owned(),
            lets_in: lets_in.collect(),
        })
    };
    Answer::Groups(groups.iter().filter_map(group).collect())
}

pub(super) fn reservations(reservations: &[types::Reservation]) -> Answer {
    let all = reservations.iter().flat_map(types::Reservation::instances);
    Answer::Instances(all.filter_map(instance).collect())
}

pub(super) fn instances(instances: &[types::Instance]) -> Answer {
    Answer::Instances(instances.iter().filter_map(instance).collect())
}

/// What terminating made of machines: names and states, no more.
pub(super) fn changes(changes: &[types::InstanceStateChange]) -> Answer {
    let changed = |change: &types::InstanceStateChange| {
        Some(Instance {
            id: change.instance_id()?.to_owned(),
            kind: String::new(),
            zone: String::new(),
            state: state(change.current_state()),
            address: None,
            launched: Utc::from_secs(0),
            tags: Vec::new(),
            why: String::new(),
        })
    };
    Answer::Instances(changes.iter().filter_map(changed).collect())
}

fn instance(instance: &types::Instance) -> Option<Instance> {
    let tag = |tag: &types::Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    let launched = instance
        .launch_time()
        .map_or(0, aws_sdk_ec2::primitives::DateTime::secs);
    Some(Instance {
        id: instance.instance_id()?.to_owned(),
        kind: instance
            .instance_type()
            .map_or("", |kind| kind.as_str())
            .to_owned(),
        zone: instance
            .placement()
            .and_then(types::Placement::availability_zone)
            .unwrap_or_default()
            .to_owned(),
        state: state(instance.state()),
        address: instance.public_ip_address().and_then(|text| text.parse().ok()),
        launched: Utc::from_secs(launched.try_into().unwrap_or(0)),
        tags: instance.tags().iter().filter_map(tag).collect(),
        why: why(instance.state_reason()),
    })
}

fn why(reason: Option<&types::StateReason>) -> String {
    let text = reason.and_then(|reason| reason.message().or(reason.code()));
    text.unwrap_or_default().to_owned()
}

/// A state that is new to us counts as one that costs money.
fn state(state: Option<&types::InstanceState>) -> InstanceState {
    match state.and_then(types::InstanceState::name) {
        Some(InstanceStateName::Pending) => InstanceState::Pending,
        Some(InstanceStateName::Stopping | InstanceStateName::Stopped) => InstanceState::Stopped,
        Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated) => InstanceState::Ended,
        _ => InstanceState::Running,
    }
}
