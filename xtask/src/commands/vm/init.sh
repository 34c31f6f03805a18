#!/bin/busybox sh
# The first process of a virtual machine: loads the modules, runs the test programs and switches off. What it says goes to
# the second serial port, away from what the kernel says on the first.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp ANYCAST_XDP_BIN=/tests/anycast-xdp
b() { /bin/busybox "$@"; }
b mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS1 2>&1
b stty -F /dev/ttyS1 raw
b mount -t proc proc /proc
b mount -t sysfs sys /sys
b mount -t bpf bpf /sys/fs/bpf
b mount -t tracefs tracing /sys/kernel/tracing
b mount -t tmpfs tmp /tmp
b mount -t tmpfs run /run
for module in /modules/*; do
    b insmod "$module" || echo "cannot load $module"
done
ip link set lo up
uptime() { b cut -d' ' -f1 /proc/uptime; }
cd /tmp
while read -r program arguments; do
    case " $(b cat /proc/cmdline) " in
        *" without=$program "*) continue ;;
    esac
    echo "@@ begin $program $(uptime)"
    # The arguments are words.
    "/tests/$program" $arguments </dev/null
    status=$?
    # A test that ends the program may leave its line unfinished.
    echo
    echo "@@ end $program $(uptime) $status"
done </tests/list
echo "@@ off"
# The last close waits until everything is sent.
exec >/dev/null 2>&1
b poweroff -f
