"""node_exporter: processor, memory, disks, network of a machine.

Of the thousand series of a node a good hundred tell something that no other tells better.
Source: collectors of prometheus/node_exporter; the mixin's alerts say which side does harm.
"""

from detectors.families.family import MIB, Family, ignored

_VIRTUAL = "(lo|veth|cali|lxc|cni|docker|br-|flannel|kube-|tunl|virbr|tap|nodelocaldns|cilium_).*"
_NO_DISK = "tmpfs|ramfs|overlay|squashfs|iso9660|fuse.*|nsfs|proc|sysfs|cgroup.*"

FAMILIES = (
    Family(
        "node_exporter: idle CPU, cores",
        ("node_cpu_seconds_total",), (("mode", "idle"),),
        reading="rate", direction="below", least_absolute=0.1, least_relative=0.1, entity="node",
    ),
    Family(
        "node_exporter: CPU lost to waiting, cores",
        ("node_cpu_seconds_total",), (("mode", "iowait|steal|irq|softirq"),),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.2, entity="node",
    ),
    Family(
        "node_exporter: CPU at work, cores",
        ("node_cpu_seconds_total",),
        reading="rate", direction="above", least_absolute=0.1, least_relative=0.1, entity="node",
    ),
    Family(
        "node_exporter: load",
        ("node_load1",),
        reading="level", direction="above", least_absolute=0.5, least_relative=0.2, entity="node",
    ),
    Family(
        "node_exporter: memory left",
        ("node_memory_MemAvailable_bytes", "node_memory_SwapFree_bytes"),
        reading="level", direction="below", least_absolute=128 * MIB, least_relative=0.05,
        entity="node",
    ),
    Family(
        "node_exporter: memory of the machine",
        ("node_memory_MemTotal_bytes",),
        reading="level", direction="below", least_relative=0.02, entity="node",
    ),
    Family(
        "node_exporter: memory that is stuck",
        ("node_memory_(Dirty|Writeback|SUnreclaim|HardwareCorrupted)_bytes",),
        reading="level", direction="above", least_absolute=128 * MIB, least_relative=0.3,
        entity="node",
    ),
    Family(
        "node_exporter: out of memory",
        ("node_vmstat_oom_kill",), reading="rate", direction="above", entity="node",
    ),
    Family(
        "node_exporter: swapping and major faults, pages",
        ("node_vmstat_(pswpin|pswpout|pgmajfault)",),
        reading="rate", direction="above", least_absolute=20.0, least_relative=0.5, entity="node",
    ),
    Family(
        "node_exporter: pressure, share of the time",
        ("node_pressure_(cpu|memory|io|irq)_(waiting|stalled)_seconds_total",),
        reading="rate", direction="above", least_absolute=0.03, least_relative=0.2, entity="node",
    ),
    ignored("node_exporter: file systems that are no disk", "node_filesystem_.*",
            labels=(("fstype", _NO_DISK),), entity="node"),
    Family(
        "node_exporter: disk space left",
        ("node_filesystem_avail_bytes",),
        reading="level", direction="below", least_absolute=128 * MIB, least_relative=0.03,
        entity="node",
    ),
    Family(
        "node_exporter: inodes left",
        ("node_filesystem_files_free",),
        reading="level", direction="below", least_absolute=10e3, least_relative=0.03,
        entity="node",
    ),
    Family(
        "node_exporter: broken file system or disk",
        ("node_filesystem_(readonly|device_error)", "node_md_disks_failed"),
        reading="level", direction="above", least_absolute=0.5, entity="node",
    ),
    Family(
        "node_exporter: failed disks of an array, failed units",
        ("node_md_disks", "node_systemd_unit_state"), (("state", "failed"),),
        reading="level", direction="above", least_absolute=0.5, entity="node",
    ),
    Family(
        "node_exporter: disk busy, share of the time",
        ("node_disk_io_time_seconds_total",),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.2, entity="node",
    ),
    Family(
        "node_exporter: seconds waited for a disk",
        ("node_disk_(io_time_weighted|read_time|write_time)_seconds_total",),
        reading="rate", direction="above", least_absolute=0.1, least_relative=0.5, entity="node",
    ),
    Family(
        "node_exporter: disk, bytes",
        ("node_disk_(read|written)_bytes_total",),
        reading="rate", direction="above", least_absolute=1e6, least_relative=0.5, entity="node",
    ),
    ignored("node_exporter: interfaces that are no wire", "node_network_.*",
            labels=(("device", _VIRTUAL),), entity="node"),
    Family(
        "node_exporter: network, bytes",
        ("node_network_(receive|transmit)_bytes_total",),
        reading="rate", least_absolute=100e3, least_relative=0.3, entity="node",
    ),
    Family(
        "node_exporter: network errors",
        ("node_network_(receive|transmit)_(errs|drop|fifo)_total",
         "node_network_carrier_changes_total"),
        reading="rate", direction="above", least_absolute=0.1, least_relative=0.5, entity="node",
    ),
    Family(
        "node_exporter: link up",
        ("node_network_(up|carrier)", "node_bonding_active"),
        reading="level", direction="below", least_absolute=0.5, entity="node",
    ),
    Family(
        "node_exporter: TCP sent again, connections refused",
        ("node_netstat_(Tcp_RetransSegs|TcpExt_ListenDrops|TcpExt_ListenOverflows|"
         "TcpExt_TCPTimeouts|Udp_InErrors|Udp_RcvbufErrors)",
         "node_softnet_dropped_total", "node_softnet_times_squeezed_total"),
        reading="rate", direction="above", least_absolute=1.0, least_relative=0.5, entity="node",
    ),
    Family(
        "node_exporter: connections",
        ("node_netstat_Tcp_CurrEstab", "node_nf_conntrack_entries", "node_sockstat_TCP_inuse",
         "node_sockstat_TCP_alloc", "node_filefd_allocated", "node_arp_entries"),
        reading="level", direction="above", least_absolute=100.0, least_relative=0.3,
        entity="node",
    ),
    Family(
        "node_exporter: clock",
        ("node_timex_offset_seconds",),
        reading="level", least_absolute=0.01, floor=None, entity="node",
    ),
    Family(
        "node_exporter: clock kept, collectors at work",
        ("node_timex_sync_status", "node_scrape_collector_success"),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="node",
    ),
    Family(
        "node_exporter: processes",
        ("node_procs_(running|blocked)",),
        reading="level", direction="above", least_absolute=3.0, least_relative=0.5, entity="node",
    ),
    Family(
        "node_exporter: new processes, switches of context",
        ("node_forks_total", "node_context_switches_total"),
        reading="rate", direction="above", least_absolute=5.0, least_relative=0.5, entity="node",
    ),
    Family(
        "node_exporter: temperature",
        ("node_(hwmon_temp|thermal_zone_temp)(_celsius)?",),
        reading="level", direction="above", least_absolute=5.0, floor=None, entity="node",
    ),
    Family(
        "node_exporter: hardware errors",
        ("node_edac_(un)?correctable_errors_total",),
        reading="rate", direction="above", entity="node",
    ),
    Family(
        "node_exporter: text files not read",
        ("node_textfile_scrape_error",),
        reading="level", direction="above", least_absolute=0.5, entity="node",
    ),
    ignored(
        "node_exporter: settings, times, and what others tell already",
        "node_(arp|boot_time|bonding|btrfs|cooling_device|cpu|disk|dmi|edac|entropy|exporter|"
        "filefd|filesystem|hwmon|infiniband|intr|ipvs|load15|load5|md|memory|mountstats|netstat|"
        "network|nf_conntrack|nfs|nfsd|nvme|os|power_supply|procs|rapl|schedstat|scrape|selinux|"
        "sockstat|softirqs|softnet|systemd|tape|textfile|thermal_zone|time|timex|udp_queues|"
        "uname|vmstat|watchdog|xfs|zfs|zoneinfo|cpufreq)(_.*)?",
        entity="node",
    ),
)  # fmt: skip
