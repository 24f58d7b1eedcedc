// Images of the relay's machine: an AMI, and a disk for QEMU, by the same script from the same files.
//
//   cargo build --release --package banyan-relay
//   packer init packer                                    (Packer 1.7 and later: plugins.pkr.hcl)
//   packer build -only 'amazon-ebs.relay' packer          (needs AWS credentials; costs a few cents)
//   packer build -only 'qemu.relay' packer                (needs QEMU)
//
// `cargo xtask image` makes the QEMU disk without Packer, where there is no KVM.

variable "relay" {
  type        = string
  default     = "target/release/banyan-relay"
  description = "The relay's program, built for the image's architecture."
}

variable "region" {
  type        = string
  default     = "us-east-1"
  description = "Where the AMI is made."
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  description = "Either x86_64 or arm64, as EC2 names them."
}

variable "version" {
  type        = string
  default     = "0.1.0"
  description = "The relay's version, a part of the AMI's name."
}

variable "debian_image" {
  type        = string
  default     = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-amd64.qcow2"
  description = "Debian's disk for QEMU, which takes a user by cloud-init."
}

variable "debian_checksum" {
  type        = string
  default     = "file:https://cloud.debian.org/images/cloud/trixie/latest/SHA512SUMS"
  description = "What that disk is checked against. Without network, as when the template is only validated, a digest will do."
}

variable "accelerator" {
  type        = string
  default     = "tcg"
  description = "QEMU's accelerator; kvm where it works."
}

locals {
  debian = var.architecture == "arm64" ? "debian-13-arm64-*" : "debian-13-amd64-*"
  // As small as each architecture has it: the image is only made here.
  builder = var.architecture == "arm64" ? "t4g.small" : "t3.small"
  tags = {
    "banyan:app"     = "1"
    "banyan:version" = var.version
  }
}

source "amazon-ebs" "relay" {
  region                      = var.region
  instance_type               = local.builder
  ami_name                    = "banyan-relay-${var.version}-${var.architecture}"
  ami_description             = "Banyan's relay: powers off with its lease"
  ena_support                 = true
  associate_public_ip_address = true
  ssh_username                = "admin"
  tags                        = local.tags
  run_tags                    = local.tags

  source_ami_filter {
    // Debian's account.
    owners      = ["136693071363"]
    most_recent = true
    filters = {
      name                = local.debian
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 8
    volume_type           = "gp2"
    delete_on_termination = true
  }
}

source "qemu" "relay" {
  iso_url          = var.debian_image
  iso_checksum     = var.debian_checksum
  disk_image       = true
  disk_size        = "4G"
  format           = "qcow2"
  accelerator      = var.accelerator
  memory           = 1024
  headless         = true
  net_device       = "virtio-net"
  disk_interface   = "virtio"
  output_directory = "target/image/packer"
  vm_name          = "relay.qcow2"
  ssh_username     = "packer"
  ssh_password     = "packer"
  ssh_timeout      = "20m"
  shutdown_command = "sudo systemctl poweroff"
  http_directory   = "packer/seed"
  // cloud-init finds the builder's user at Packer's own HTTP server; the script removes both.
  qemuargs = [
    ["-smbios", "type=1,serial=ds=nocloud;s=http://{{ .HTTPIP }}:{{ .HTTPPort }}/"],
  ]
}

build {
  sources = ["source.amazon-ebs.relay", "source.qemu.relay"]

  provisioner "file" {
    source      = "relay-image/rootfs"
    destination = "/tmp/rootfs"
  }

  provisioner "file" {
    source      = var.relay
    destination = "/tmp/banyan-relay"
  }

  provisioner "shell" {
    execute_command = "sudo env BANYAN_IMAGE=build sh -eu '{{ .Path }}' /tmp/rootfs /tmp/banyan-relay"
    script          = "packer/scripts/install.sh"
  }
}
