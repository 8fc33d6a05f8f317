"""The default bridge, published ports from everywhere, host, none, container:ID; the network endpoints."""
import json
import socket
import threading

from harness import contains, equal, eventually, options, raises
from test_isolation import refused, sh

HTTPD = ["httpd", "-f", "-p", "8080", "-h", "/www"]


def fetch(address, port, timeout=5):
    with socket.create_connection((address, port), timeout) as sock:
        sock.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
        data = b""
        while True:
            piece = sock.recv(65536)
            if not piece:
                return data.split(b"\r\n\r\n")[-1]
            data += piece


def wait_listening(d, container, protocol, port):
    files = ["/proc/net/" + protocol, "/proc/net/" + protocol + "6"]
    eventually(lambda: b":%04X " % port in d.exec(container, ["cat", *files]).out, "a listener on port %d" % port)


def serve(d, ports, **more):
    """A web server on 8080 published as given: (container, its NetworkSettings)."""
    host = {"PortBindings": {"8080/tcp": ports}, **more.pop("host", {})}
    container = d.start_new(HTTPD, ExposedPorts={"8080/tcp": {}}, host=host, **more)
    wait_listening(d, container, "tcp", 8080)
    return container, d.inspect(container)["NetworkSettings"]


def address_of(d, container):
    return d.inspect(container)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def test_bridge_between_containers(d):
    container, settings = serve(d, [])
    endpoint = settings["Networks"]["bridge"]
    equal(endpoint["IPPrefixLen"], 16)
    equal(endpoint["Gateway"].rsplit(".", 1)[0], endpoint["IPAddress"].rsplit(".", 1)[0])
    ran = d.run(["wget", "-qO-", "http://%s:8080/index.html" % endpoint["IPAddress"]])
    equal((ran.code, ran.out), (0, b"hello from holk\n"), repr(ran))
    equal(d.namespace.call(fetch, endpoint["IPAddress"], 8080), b"hello from holk\n")
    text = sh(d, "ip -o addr show; ip route; cat /sys/class/net/eth0/address")
    contains(text, "default via " + endpoint["Gateway"])
    contains(text, " lo    inet 127.0.0.1/8")
    equal(d.exec(container, ["cat", "/sys/class/net/eth0/address"]).text.strip(), endpoint["MacAddress"])


def test_addresses_are_given_back(d):
    first = address_of(d, d.start_new(["sleep", "100"]))
    seen = {first}
    for _ in range(5):
        container = d.start_new(["sleep", "100"])
        seen.add(address_of(d, container))
        d.remove(container)
    equal(len(seen) >= 2, True)
    equal(first in seen, True)
    containers = [d.start_new(["sleep", "100"]) for _ in range(4)]
    addresses = [address_of(d, container) for container in containers]
    equal(len(set(addresses) | {first}), 5)


def test_published_from_everywhere(d):
    outside = d.outside()
    container, settings = serve(d, [{"HostIp": "", "HostPort": "18080"}])
    contains(settings["Ports"]["8080/tcp"], {"HostIp": "0.0.0.0", "HostPort": "18080"})
    for where, name, address in (
        (outside, "another host", "198.51.100.1"),
        (d.namespace, "the host's address", "198.51.100.1"),
        (d.namespace, "loopback", "127.0.0.1"),
    ):
        equal(where.call(fetch, address, 18080), b"hello from holk\n", name)
    gateway = settings["Networks"]["bridge"]["Gateway"]
    equal(d.namespace.call(fetch, gateway, 18080), b"hello from holk\n", "the bridge's address")
    ran = d.run(["wget", "-qO-", "http://%s:18080/index.html" % gateway])
    equal(ran.out, b"hello from holk\n", "another container through the host: %r" % ran)
    ran = d.exec(container, ["timeout", "5", "wget", "-qO-", "http://%s:18080/index.html" % gateway])
    equal(ran.out, b"hello from holk\n", "the container itself through the host (hairpin): %r" % ran)
    d.api.post("/containers/%s/stop" % container, t=0)
    for where, address in ((outside, "198.51.100.1"), (d.namespace, "127.0.0.1")):
        try:
            where.call(fetch, address, 18080)
        except OSError:
            continue
        raise AssertionError("still answered at " + address)


def test_published_on_ipv6_loopback(d):
    serve(d, [{"HostIp": "", "HostPort": "18080"}])
    d.namespace.run("sh", "-c", "cat /proc/sys/net/ipv6/conf/lo/disable_ipv6")
    equal(d.namespace.call(fetch, "::1", 18080), b"hello from holk\n")


def test_bound_to_loopback_only(d):
    outside = d.outside()
    serve(d, [{"HostIp": "127.0.0.1", "HostPort": "18080"}])
    equal(d.namespace.call(fetch, "127.0.0.1", 18080), b"hello from holk\n")
    for where in (outside, d.namespace):
        try:
            where.call(fetch, "198.51.100.1", 18080, 2)
        except OSError:
            continue
        raise AssertionError("a port of 127.0.0.1 answers at the host's address")


def test_ephemeral_port_is_known_when_start_returns(d):
    container, settings = serve(d, [{"HostIp": "", "HostPort": ""}])
    port = int([row for row in settings["Ports"]["8080/tcp"] if row["HostIp"] == "0.0.0.0"][0]["HostPort"])
    equal(port >= 1024, True)
    equal(d.namespace.call(fetch, "127.0.0.1", port), b"hello from holk\n")
    everything = d.start_new(HTTPD, ExposedPorts={"8080/tcp": {}}, host={"PublishAllPorts": True})
    rows = d.inspect(everything)["NetworkSettings"]["Ports"]["8080/tcp"]
    wait_listening(d, everything, "tcp", 8080)
    equal(d.namespace.call(fetch, "127.0.0.1", int(rows[0]["HostPort"])), b"hello from holk\n")
    listed = [row for row in d.api.get("/containers/json") if row["Id"] == container][0]["Ports"]
    contains([(row["PrivatePort"], row["PublicPort"], row["Type"]) for row in listed if "PublicPort" in row], (8080, port, "tcp"))
    ranged, settings = serve(d, [{"HostIp": "", "HostPort": "19000-19005"}])
    equal(settings["Ports"]["8080/tcp"][0]["HostPort"], "19000")
    ranged, settings = serve(d, [{"HostIp": "", "HostPort": "19000-19005"}])
    equal(settings["Ports"]["8080/tcp"][0]["HostPort"], "19001")


def test_udp(d):
    outside = d.outside()
    container = d.start_new(
        ["probe", "udp-echo", "5353"], ExposedPorts={"5353/udp": {}}, host={"PortBindings": {"5353/udp": [{"HostPort": "15353"}]}}
    )
    wait_listening(d, container, "udp", 5353)

    def ask(address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(b"ping\n", (address, 15353))
            return sock.recvfrom(100)

    answer, sender = outside.call(ask, "198.51.100.1")
    equal((answer, sender), (b"got ping\n", ("198.51.100.1", 15353)))


def test_port_in_use(d):
    container, _ = serve(d, [{"HostIp": "", "HostPort": "18080"}], name="owner")
    second = d.create(
        HTTPD, name="second", ExposedPorts={"8080/tcp": {}}, host={"PortBindings": {"8080/tcp": [{"HostPort": "18080"}]}}
    )
    status, message = d.api.refused("POST", "/containers/second/start")
    equal(status, 500)
    contains(message, "18080")
    contains(message, "port is already allocated")
    contains(message, "owner")
    equal(d.state(second)["Status"], "created")
    d.remove(container)
    d.api.post("/containers/second/start")

    def hold(ready, done):
        with socket.socket() as sock:
            sock.bind(("0.0.0.0", 17000))
            sock.listen()
            ready.set()
            done.wait(20)

    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=d.namespace.call, args=(hold, ready, done))
    thread.start()
    ready.wait()
    third = d.create(HTTPD, ExposedPorts={"8080/tcp": {}}, host={"PortBindings": {"8080/tcp": [{"HostPort": "17000"}]}})
    status, message = d.api.refused("POST", "/containers/%s/start" % third)
    done.set()
    thread.join()
    contains(message, "17000")
    contains(message, "address already in use")
    d.api.post("/containers/%s/start" % third)


def test_one_number_for_tcp_and_udp(d):
    serve(d, [{"HostPort": "18080"}])
    d.start_new(["sleep", "100"], ExposedPorts={"8080/udp": {}}, host={"PortBindings": {"8080/udp": [{"HostPort": "18080"}]}})
    equal(d.namespace.call(fetch, "127.0.0.1", 18080), b"hello from holk\n")


def test_to_the_outside_with_nat(d):
    """A container reaches another host, which sees the host's address."""
    outside = d.outside()
    seen = {}

    def listen(ready):
        with socket.socket() as sock:
            sock.bind(("198.51.100.2", 7000))
            sock.listen()
            sock.settimeout(20)
            ready.set()
            peer, address = sock.accept()
            seen["address"] = address[0]
            peer.sendall(b"welcome\n")
            peer.close()

    ready = threading.Event()
    thread = threading.Thread(target=outside.call, args=(listen, ready))
    thread.start()
    ready.wait()
    ran = d.run(["sh", "-c", "nc -w 5 198.51.100.2 7000 </dev/null"])
    thread.join()
    equal((ran.out, seen["address"]), (b"welcome\n", "198.51.100.1"), repr(ran))


def test_host_network(d):
    names = sh(d, "ls /sys/class/net", host={"NetworkMode": "host"}).split()
    contains(names, "lo")
    container = d.start_new(["sh", "-c", "httpd -f -p 127.0.0.1:18081 -h /www"], host={"NetworkMode": "host"})
    eventually(lambda: d.namespace.call(fetch, "127.0.0.1", 18081) == b"hello from holk\n")
    equal(list(d.inspect(container)["NetworkSettings"]["Networks"]), ["host"])


def test_none_network(d):
    equal(sh(d, "ls /sys/class/net; ip route | wc -l", host={"NetworkMode": "none"}).split(), ["lo", "0"])
    container = d.create(["true"], host={"NetworkMode": "none"})
    equal(list(d.inspect(container)["NetworkSettings"]["Networks"]), ["none"])


def test_network_of_another_container(d):
    container, _ = serve(d, [])
    mode = {"NetworkMode": "container:" + container}
    equal(
        sh(d, "wget -qO- http://127.0.0.1:8080/index.html; hostname", host=mode).splitlines(), ["hello from holk", container[:12]]
    )
    raises(
        400,
        d.create,
        ["true"],
        host={**mode, "PortBindings": {"80/tcp": [{"HostPort": "1"}]}},
        ExposedPorts={"80/tcp": {}},
        text="conflicting options: port publishing and the container type network mode",
    )
    raises(400, d.create, ["true"], host=mode, Hostname="x", text="conflicting options: hostname and the network mode")
    refused(d, {"NetworkMode": "container:nobody"}, "no such container: nobody")
    d.api.post("/containers/%s/stop" % container, t=0)
    stopped = d.create(["true"], host=mode)
    status, message = d.api.refused("POST", "/containers/%s/start" % stopped)
    contains(message, "cannot join network namespace of a non running container")


def test_unpublished_port_is_not_reachable_from_outside(d):
    outside = d.outside()
    container, settings = serve(d, [])
    address = settings["Networks"]["bridge"]["IPAddress"]
    equal(d.namespace.call(fetch, address, 8080), b"hello from holk\n")
    try:
        outside.call(fetch, address, 8080, 2)
    except OSError:
        return
    raise AssertionError("a container's unpublished port answers to another host")


def test_network_endpoints(d):
    networks = {row["Name"]: row for row in d.api.get("/networks")}
    equal(set(networks), {"bridge", "host", "none"})
    container = d.start_new(["sleep", "100"], name="inside")
    row = d.api.get("/networks/bridge")
    equal((row["Driver"], row["Scope"], row["Internal"]), ("bridge", "local", False))
    equal(row["Containers"][container]["Name"], "inside")
    equal(row["Containers"][container]["IPv4Address"].split("/")[0], address_of(d, container))
    equal(d.api.get("/networks/" + row["Id"][:12])["Name"], "bridge")
    raises(404, d.api.get, "/networks/nothing", text="network nothing not found")
    status, message = d.api.refused("DELETE", "/networks/bridge")
    equal(status, 403)
    contains(message, "bridge is a pre-defined network and cannot be removed")
    status, message = d.api.refused("POST", "/networks/create", {"Name": "bridge"})
    equal(status in (403, 409), True, message)
    raises(404, d.start_new, ["true"], host={"NetworkMode": "nothing"}, text="network nothing not found")


@options(args=["--bip", "10.77.0.1/24"])
def test_own_bridge_address(d):
    container = d.start_new(["sleep", "100"])
    endpoint = d.inspect(container)["NetworkSettings"]["Networks"]["bridge"]
    equal((endpoint["Gateway"], endpoint["IPPrefixLen"], endpoint["IPAddress"].startswith("10.77.0.")), ("10.77.0.1", 24, True))


def test_firewall_is_made_again(d):
    """Somebody flushes all rules: ours come back, with the published ports."""
    serve(d, [{"HostIp": "", "HostPort": "18080"}])
    before = d.namespace.run("nft", "-j", "list", "tables")
    d.namespace.run("nft", "flush", "ruleset")
    eventually(
        lambda: json.loads(d.namespace.run("nft", "-j", "list", "tables"))["nftables"][1:] == json.loads(before)["nftables"][1:]
        or d.namespace.call(fetch, "127.0.0.1", 18080),
        "tables are back",
        5,
    )
    eventually(lambda: d.namespace.call(fetch, "127.0.0.1", 18080) == b"hello from holk\n", "the port answers again", 5)
