"""Questions about images, builds and registries."""
from scenarios import create, scenario, small_tar

DOCKERFILE = "FROM shapes-base\nLABEL shapes=1\n"


@scenario
def images(s):
    s.ask("inspect", "GET", "/images/{image}/json", only=lambda v: {**v, "GraphDriver": {"Name": v["GraphDriver"]["Name"]}, "DockerVersion": type(v["DockerVersion"]).__name__, "Metadata": sorted(v["Metadata"])})
    s.ask("inspect by id prefix", "GET", "/images/%s/json" % s.plain("GET", "/images/{image}/json").json["Id"][7:27], only=lambda v: v["RepoTags"])
    s.ask("inspect none", "GET", "/images/{p}none/json")
    s.ask("inspect none tagged", "GET", "/images/{p}none:x/json")
    s.ask("inspect bad", "GET", "/images/A/json")
    s.ask("inspect id", "GET", "/images/sha256:%s/json" % ("0" * 64))
    s.ask("inspect manifests", "GET", "/images/{image}/json?manifests=1", only=sorted)
    s.ask("history", "GET", "/images/{image}/history")
    s.ask("history none", "GET", "/images/{p}none/history")
    s.later("DELETE", "/images/{p}image:v1")
    s.ask("tag", "POST", "/images/{image}/tag?repo={p}image&tag=v1")
    s.ask("tag again", "POST", "/images/{image}/tag?repo={p}image&tag=v1")
    s.ask("tag bad name", "POST", "/images/{image}/tag?repo=A&tag=v1")
    s.ask("tag bad tag", "POST", "/images/{image}/tag?repo={p}image&tag=-")
    s.ask("tag empty", "POST", "/images/{image}/tag")
    s.ask("tag digest", "POST", "/images/{image}/tag?repo={p}image@sha256:%s" % ("0" * 64))
    s.ask("tag none", "POST", "/images/{p}none/tag?repo={p}x")
    s.ask("tag sha256", "POST", "/images/{image}/tag?repo=sha256&tag=v1")

    def ours(v):
        return [{**row, "Containers": type(row["Containers"]).__name__, "RepoTags": [tag for tag in row["RepoTags"] if tag.startswith(s.run)]} for row in v]
    s.ask("list", "GET", "/images/json", only=ours, filters={"reference": ["{p}image"]})
    s.ask("list size", "GET", "/images/json?shared-size=1", only=lambda v: [sorted(row) for row in v], filters={"reference": ["{p}image"]})
    s.ask("list nothing", "GET", "/images/json", filters={"reference": ["{p}none"]})
    s.ask("list pattern", "GET", "/images/json", only=lambda v: len(v), filters={"reference": ["{p}im*:v?"]})
    s.ask("list old filter", "GET", "/images/json?filter={p}none", only=lambda v: len(v) > 0)
    s.ask("list bad filter", "GET", "/images/json", filters={"nonsense": ["x"]})
    s.ask("list bad dangling", "GET", "/images/json", filters={"dangling": ["x"]})
    s.ask("list bad before", "GET", "/images/json", filters={"before": ["{p}none"]})
    s.ask("list bad since", "GET", "/images/json", filters={"since": ["{p}none"]})
    s.ask("list bad until", "GET", "/images/json", filters={"until": ["x"]})
    s.ask("list bad pattern", "GET", "/images/json", filters={"reference": ["a["]})
    s.ask("list no json", "GET", "/images/json?filters=x")
    s.ask("list manifests", "GET", "/images/json?manifests=1", only=lambda v: [sorted(row) for row in v], filters={"reference": ["{p}image"]})
    s.ask("delete", "DELETE", "/images/{p}image:v1")
    s.ask("delete twice", "DELETE", "/images/{p}image:v1")
    s.ask("delete none", "DELETE", "/images/{p}none")
    s.ask("delete bad", "DELETE", "/images/A")
    s.ask("prune", "POST", "/images/prune", filters={"label": ["{p}=none"]})
    s.ask("prune bad", "POST", "/images/prune", filters={"nonsense": ["x"]})
    s.ask("prune bad dangling", "POST", "/images/prune", filters={"dangling": ["x"]})
    s.ask("distribution bad", "GET", "/distribution/A/json")
    s.ask("distribution id", "GET", "/distribution/%s/json" % ("0" * 64))


@scenario
def image_platforms(s):
    import json
    for name, platform in (("same", {"os": "linux", "architecture": "amd64"}), ("other", {"os": "linux", "architecture": "arm64"}), ("bad", "x")):
        text = platform if isinstance(platform, str) else json.dumps(platform)
        s.ask(name + " history", "GET", "/images/{image}/history", only=len, platform=text)
        s.ask(name + " inspect", "GET", "/images/{image}/json", only=lambda v: v["Architecture"], platform=text)
        s.ask(name + " push", "POST", "/images/{image}/push", headers={"X-Registry-Auth": "e30="}, mode="status", platform=text)
    s.ask("bad get", "GET", "/images/{image}/get", platform="x", mode="status")
    s.ask("bad load", "POST", "/images/load", small_tar(f="x"), {"Content-Type": "application/x-tar"}, platform="x", mode="status")


@scenario
def image_transfers(s):
    tar = {"Content-Type": "application/x-tar"}
    s.later("DELETE", "/images/{p}imported:v1")
    s.ask("import", "POST", "/images/create?fromSrc=-&repo={p}imported&tag=v1&message=hello", small_tar(f="x"), tar)
    s.later("DELETE", "/images/{p}changed")
    s.ask("import with changes", "POST", "/images/create?fromSrc=-&repo={p}changed&changes=CMD%20true&changes=ENV%20A%3Db", small_tar(f="y"), tar)
    s.ask("changed", "GET", "/images/{p}changed/json", only=lambda v: v["Config"])
    s.ask("import history", "GET", "/images/{p}imported:v1/history")
    s.ask("imported", "GET", "/images/{p}imported:v1/json", only=lambda v: {name: v[name] for name in ("Comment", "Config", "RepoTags", "RepoDigests", "Parent", "Author", "Os")})
    s.ask("import bad change", "POST", "/images/create?fromSrc=-&repo={p}x&changes=RUN%20true", small_tar(f="x"), tar)
    s.ask("import bad repo", "POST", "/images/create?fromSrc=-&repo=A", small_tar(f="x"), tar)
    s.ask("import bad tag", "POST", "/images/create?fromSrc=-&repo={p}x&tag=-", small_tar(f="x"), tar)
    s.ask("import bad platform", "POST", "/images/create?fromSrc=-&repo={p}x&platform=nonsense", small_tar(f="x"), tar)
    s.ask("create nothing", "POST", "/images/create")
    s.ask("pull bad", "POST", "/images/create?fromImage=A")
    s.ask("pull bad tag", "POST", "/images/create?fromImage=a&tag=-")
    s.ask("pull bad platform", "POST", "/images/create?fromImage=a&platform=nonsense")
    s.ask("pull nobody", "POST", "/images/create?fromImage=127.0.0.1:9/a&tag=latest", mode="status")
    s.ask("push none", "POST", "/images/{p}none/push", headers={"X-Registry-Auth": "e30="})
    s.ask("push no auth", "POST", "/images/{p}none/push")
    s.ask("push bad", "POST", "/images/A/push", headers={"X-Registry-Auth": "e30="})
    s.ask("get none", "GET", "/images/{p}none/get")
    s.ask("get nones", "GET", "/images/get?names={p}none")
    s.ask("get", "GET", "/images/{p}imported:v1/get", mode="status")
    s.ask("get nothing", "GET", "/images/get", mode="status")
    s.ask("load garbage", "POST", "/images/load", b"nonsense" * 100, tar, mode="status")
    s.ask("load empty tar", "POST", "/images/load", small_tar(f="x"), tar, mode="status")
    s.ask("search no term", "GET", "/images/search", mode="status")
    create(s, "c")
    s.later("DELETE", "/images/{p}committed")
    s.ask("commit", "POST", "/commit?container={c}&repo={p}committed&comment=hi&author=me&changes=ENV%20Z=1", save="i")
    s.ask("committed", "GET", "/images/{p}committed/json", only=lambda v: {name: v[name] for name in ("Comment", "Author", "RepoTags", "Config")})
    s.ask("commit none", "POST", "/commit?container={p}none&repo={p}x")
    s.ask("commit nothing", "POST", "/commit")
    s.ask("commit bad repo", "POST", "/commit?container={c}&repo=A")
    s.ask("commit bad change", "POST", "/commit?container={c}&changes=RUN%20true")
    create(s, "user", Image="{p}imported:v1", Cmd=["x"])
    s.ask("delete used", "DELETE", "/images/{p}imported:v1")
    s.ask("delete used by force", "DELETE", "/images/{p}imported:v1?force=1", only=lambda v: [sorted(row) for row in v])
    s.ask("image of container", "GET", "/containers/{user}/json", only=lambda v: v["Config"]["Image"])


@scenario
def builds(s):
    tar = {"Content-Type": "application/x-tar"}

    def build(name, query, files, mode="values", headers=tar):
        s.ask(name, "POST", "/build?" + query, files if isinstance(files, bytes) else small_tar(**files), headers, mode=mode)
    s.later("DELETE", "/images/{p}built")
    build("good", "t={p}built&q=1", {"Dockerfile": DOCKERFILE})
    s.ask("built", "GET", "/images/{p}built/json", only=lambda v: {name: v[name] for name in ("Config", "RepoTags", "Comment", "Author")})
    build("no dockerfile", "", {"x": "y"})
    build("other dockerfile", "dockerfile=x", {"y": DOCKERFILE})
    build("outside dockerfile", "dockerfile=../x", {"Dockerfile": DOCKERFILE})
    build("empty dockerfile", "", {"Dockerfile": ""})
    build("comment only", "", {"Dockerfile": "# x\n"})
    build("unknown instruction", "", {"Dockerfile": "FROM scratch\nNONSENSE x\n"})
    build("no from", "", {"Dockerfile": "RUN x\n"})
    build("bad tag", "t=A", {"Dockerfile": DOCKERFILE})
    build("bad args", "buildargs=x", {"Dockerfile": DOCKERFILE})
    build("bad labels", "labels=x", {"Dockerfile": DOCKERFILE})
    build("bad ulimits", "ulimits=x", {"Dockerfile": DOCKERFILE})
    build("bad memory", "memory=x", {"Dockerfile": DOCKERFILE}, mode="status")
    build("bad target", "target=nonsense", {"Dockerfile": DOCKERFILE})
    build("bad content type", "", {"Dockerfile": DOCKERFILE}, headers={"Content-Type": "text/plain"})
    build("garbage", "", b"nonsense" * 100, mode="status")
    build("empty", "", b"", mode="status")
    build("no image", "", {"Dockerfile": "FROM 127.0.0.1:9/shapes-none\n"}, mode="status")
    build("unused argument", "q=1&buildargs=%7B%22x%22%3A%221%22%7D", {"Dockerfile": DOCKERFILE}, mode="status")
    build("version", "version=7", {"Dockerfile": DOCKERFILE})
    s.ask("cancel", "POST", "/build/cancel", mode="status")
    s.ask("cancel id", "POST", "/build/cancel?id=none", mode="status")
    s.ask("prune", "POST", "/build/prune", filters={"until": ["10000h"]}, mode="status")
    s.ask("prune bad", "POST", "/build/prune?filters=x")


@scenario
def others(s):
    for name, method, path in (("plugins", "GET", "/plugins"), ("plugin", "GET", "/plugins/{p}none/json"), ("privileges", "GET", "/plugins/privileges"),
                               ("plugin enable", "POST", "/plugins/{p}none/enable"), ("plugin remove", "DELETE", "/plugins/{p}none"), ("session", "POST", "/session")):
        s.ask(name, method, path, mode="status")
