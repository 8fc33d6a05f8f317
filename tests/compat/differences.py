"""Where holk answers otherwise than Docker 28, on purpose or because a part is not built. Each row: what matches
"scenario/step.place" (a regular expression), what Docker's value must look like there (the same, over its JSON; None: any),
and why. What is not listed here is a failure."""

REFUSED = "refused by name: not built"
EARLY = "refused when it is created; Docker fails when it is started"
GO = "the words of Go's parser"

DIFFERENCES = [
    # ---- everywhere ----
    (r".*\.(Api-Version|Docker-Experimental|Ostype|Server)", r'"\(absent\)"', "every answer names the server, raw streams and pages not found as well"),
    (r".*\.body\.message", r'"strconv\.(Atoi|ParseInt): .*"', GO),
    (r".*\.body\.message", r'"(json: cannot unmarshal|unexpected EOF).*"', GO),
    # ---- the daemon ----
    (r"(ping/(get|head)|versions/.*)\.Builder-Version", None, "clients take the classic builder: BuildKit is not built"),
    (r"info/shape\.body\.(CDISpecDirs|Containerd|KernelMemoryTCP|KernelMemory)", None, "no CDI, no containerd; kernel memory limits went away with cgroup 1"),
    (r"info/shape\.body\.(ContainerdCommit|InitCommit|RuncCommit).*", None, "no such programs here"),
    (r"info/values\.body\.LiveRestoreEnabled", None, "always: containers live without the daemon"),
    (r"paths/(double slash|encoded)\..*", None, "paths are taken as they are"),
    (r"paths/grpc\.status", None, REFUSED),
    (r"versions/(1\.|\.1)\..*", None, "not a version"),
    (r"versions/1\.body", None, "a missing minor is printed as 0"),
    (r"events/bad filter\..*", None, "Docker has sent 200 before it looks at the filters"),
    (r"events/volumes\.body", None, "mount and unmount of volumes are not told"),
    (r"inspect/by slash name\..*", None, "Docker redirects to the path without the slash"),
    # ---- volumes, networks ----
    (r"volumes/.*\.Options", r"\{\}", "no options are null"),
    (r"volumes/tmpfs\..*", None, REFUSED),
    (r"networks/(connect|disconnect) none\.body\.message", None, "the network is looked up first"),
    # ---- containers ----
    (r"inspect/.*\.(HostnamePath|HostsPath|LogPath|ResolvConfPath)", r'""', "the paths are known before the first start"),
    (r"create_bad/(device|device rule|endpoints|two endpoints|exposed|exposed range|hostname long|log files|log size|stop timeout|sysctl|sysctl host network|"
     r"tmpfs option|no network|port address|port protocol|ulimit|ulimit order|volume path|volume root)\..*", None, EARLY),
    (r"create_bad/(ipc|pid) of none\..*", None, "the other container is looked up at start"),
    (r"create_bad/(userns|blkio weight|runtime|storage option|no link)\..*", None, REFUSED),
    (r"create_bad/workdir of a file\..*", None, "the working directory is looked at by start"),
    (r"create_bad/bind root\.body\.message", None, "the same said shorter"),
    (r"failing_starts/nonet\.body\.message", None, "the same said shorter"),
    (r"lifecycle/(none POST attach\?stdout=1|remove link|rename bad|kill number)\..*", None, "said as JSON, or shorter"),
    (r"listing/bad publish\.body\.message", None, GO),
    (r"execs/(bad user|start bad user)\..*", None, "the user is looked up when it starts"),
    (r"execs/inspect done\.body\.Pid", None, "a process that has ended has no number"),
    (r"execs/string command\.status", None, "a text is taken as one word"),
    (r"attach/(bad keys|websocket)\..*", None, "an error before the stream is an ordinary answer; WebSocket is not built"),
    (r"top_stats/(stats|stats cpu|stats of created|top aux|top pid|top without pid|top bad)\..*", None, REFUSED),
    (r"archive/(get|put) no path\.body\.message", None, "with the space that is missing there"),
    # ---- images ----
    (r"images/list\.body\[0\]\.RepoDigests", "null", "an empty list is no null"),
    (r"image_transfers/pull (bad platform|nobody).*", r'"Get .*"', "no network there"),
    (r"images/tag empty\..*", None, "no name is a mistake"),
    (r"images/distribution id\.body\.message", None, "said by the reference parser"),
    (r"image_transfers/create nothing\.body\.message", None, GO),
    (r"image_transfers/import bad tag\.body\.message", None, "said by the reference parser"),
    (r"image_transfers/get (none|nones)\.body\.message", None, "with the tag that was looked for"),
    (r"image_transfers/get nothing\..*", None, "no names are a mistake"),
    (r"image_platforms/bad (history|inspect)\.body\.message", None, GO),
    (r"image_platforms/bad load\.status", "200", "an archive without images is a mistake"),
    (r"image_transfers/load (garbage|empty tar)\.status", None, "an archive without images is a mistake"),
    (r"image_transfers/search no term\.status", None, REFUSED),
    (r"builds/bad (args|labels|ulimits)\.body\.message", None, GO),
    (r"builds/(bad content type|unused argument)\.body.*", None, "a step that only writes metadata is made anew, which costs nothing"),
    (r"builds/bad memory\.status", "200", "a number that is none is a mistake"),
    (r"builds/(built\.body\.Comment|no image\.status)", None, "the images are those of BuildKit's frontend; what fails before the first line has a status"),
    (r"builds/(comment only|empty dockerfile|outside dockerfile)\.body\.message", None, "the words of BuildKit's frontend"),
    (r"builds/(cancel|cancel id)\.status", None, REFUSED),
    (r"others/session\.status", None, REFUSED),
]
