# Tries an image as a container runtime would run it: a network of its own, a root that cannot be
# written, the image's user. The argument is the directory it is unpacked in. Whatever is mounted
# here ends with the namespaces that the caller has made.
root=$1
mkdir "$root/dev" "$root/proc"
echo nameserver 127.0.0.1 >"$root/etc/resolv.conf"
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --bind "$root/var/lib/muskox" "$root/var/lib/muskox"
mount -t tmpfs -o uid=10001,gid=10001,mode=0750 tmpfs "$root/run/muskox"
mount -t tmpfs tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start

# The command that runs the program, and is the program once it runs.
muskox="chroot --userspec=10001:10001 --groups=10001 $root /usr/bin/muskox"

if touch "$root/etc/new" 2>/dev/null; then
    echo "the root can be written" >&2
    exit 1
fi
$muskox --version
$muskox demo --check
$muskox serve 2>"$root/tmp/log" &
server=$!
tries=0
until $muskox status >"$root/tmp/status" 2>&1; do
    tries=$((tries + 1))
    if [ $tries = 60 ] || ! kill -0 $server; then
        cat "$root/tmp/log" "$root/tmp/status" >&2
        exit 1
    fi
    sleep 1
done
echo "[ok] the server runs and its health check says so"
kill $server
wait $server
echo "[ok] and stops when told"
