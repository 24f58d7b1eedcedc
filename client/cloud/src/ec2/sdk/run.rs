//! The request for a machine: what is the same for every relay is set here.

use super::specification;
use crate::ec2::call::Run;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreditSpecificationRequest, EbsBlockDevice, HttpTokensState,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification,
    InstanceType, ResourceType, ShutdownBehavior, VolumeType,
};
use data_encoding::BASE64;

/// One machine that ends when it powers off (one that makes an image stops), with no way in but the relay's port and no right in the account: no key
/// pair, no role; metadata by session token only and not beyond the machine itself; processor credits that cost nothing;
/// an address and a disk that go with it.
pub(super) fn request(client: &Client, run: &Run) -> RunInstancesFluentBuilder {
    let request = client
        .run_instances()
        .min_count(1)
        .max_count(1)
        .client_token(&run.token.0)
        .image_id(&run.image.id)
        .instance_type(InstanceType::from(run.kind.as_str()))
        .user_data(BASE64.encode(run.user_data.0.as_bytes()))
        .instance_initiated_shutdown_behavior(match run.stops {
            true => ShutdownBehavior::Stop,
            false => ShutdownBehavior::Terminate,
        })
        .metadata_options(metadata())
        .network_interfaces(interface(run))
        .block_device_mappings(disk(run));
    let request = match run.kind.starts_with('t') {
        // Only burstable types know credits; others refuse the word.
        true => request.credit_specification(
            CreditSpecificationRequest::builder()
                .cpu_credits("standard")
                .build(),
        ),
        false => request,
    };
    [
        ResourceType::Instance,
        ResourceType::Volume,
        ResourceType::NetworkInterface,
    ]
    .into_iter()
    .fold(request, |request, kind| {
        request.tag_specifications(specification(kind, &run.tags))
    })
}

fn metadata() -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .build()
}

fn interface(run: &Run) -> InstanceNetworkInterfaceSpecification {
    InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .subnet_id(&run.subnet)
        .groups(&run.group)
        .associate_public_ip_address(true)
        .delete_on_termination(true)
        .build()
}

fn disk(run: &Run) -> BlockDeviceMapping {
    let disk = EbsBlockDevice::builder()
        .volume_type(VolumeType::Gp3)
        .volume_size(run.image.gib)
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder()
        .device_name(&run.image.root)
        .ebs(disk)
        .build()
}
