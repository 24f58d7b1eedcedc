//! TAP devices. The kernel hands their frames out whole: checksums filled in and large sends cut to the MTU, because
//! the device offers neither offload.

use anyhow::{Context, Result, ensure};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};
use std::fs::File;

/// From `linux/if_tun.h`.
const TUNSETIFF: Opcode = opcode::write::<libc::c_int>(b'T', 202);

/// Makes the TAP device `name` in the calling thread's namespace. It goes when the file is closed; reads and writes
/// carry one Ethernet frame each and never block.
pub(crate) fn open(name: &str) -> Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .context("cannot open /dev/net/tun")?;
    attach(&file, name)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? | OFlags::NONBLOCK)?;
    Ok(file)
}

fn attach(file: &File, name: &str) -> Result<()> {
    ensure!(
        name.len() < libc::IFNAMSIZ,
        "the name of a device has at most 15 bytes"
    );
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short,
        },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    #[expect(unsafe_code, reason = "no safe wrapper of this one ioctl earns a dependency")]
    // SAFETY: `TUNSETIFF` reads and writes one `ifreq`, which `request` is, and keeps no pointer to it.
    unsafe {
        ioctl(file, Setter::<TUNSETIFF, libc::ifreq>::new(request)).context("cannot make a TAP device")
    }
}
