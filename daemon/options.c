#include "daemon/options.h"
#include "daemon/server/server.h"

#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

static const struct codec_field options_fields[] = {
    F_STRV(struct options, hosts, "hosts", 0),
    F_STRV(struct options, insecure_registries, "insecure-registries", 0),
    F_STRV(struct options, registry_mirrors, "registry-mirrors", 0),
    F_STRV(struct options, labels, "labels", 0),
    F_STRV(struct options, dns, "dns", 0),
    F_STRV(struct options, storage_opts, "storage-opts", 0),
    F_STR(struct options, data_root, "data-root", 0),
    F_STR(struct options, exec_root, "exec-root", 0),
    F_STR(struct options, pidfile, "pidfile", 0),
    F_STR(struct options, bip, "bip", 0),
    F_STR(struct options, bridge, "bridge", 0),
    F_STR(struct options, cgroup_parent, "cgroup-parent", 0),
    F_STR(struct options, log_level, "log-level", 0),
    F_STR(struct options, default_runtime, "default-runtime", 0),
    F_BOOL(struct options, debug, "debug", 0),
    F_END,
};
CODEC_DECLARE(options);
CODEC_DEFINE(options);

enum { OPT_DATA_ROOT = 256, OPT_EXEC_ROOT, OPT_BIP, OPT_CONFIG, OPT_INSECURE, OPT_MIRROR, OPT_CGROUP, OPT_RUNTIME, OPT_ADD_RUNTIME, OPT_LABEL, OPT_STORAGE, OPT_VALIDATE, OPT_COMPAT, OPT_DNS, OPT_HELP, OPT_VERSION };
static const struct option long_options[] = {
    { "host", required_argument, NULL, 'H' }, { "data-root", required_argument, NULL, OPT_DATA_ROOT }, { "exec-root", required_argument, NULL, OPT_EXEC_ROOT },
    { "pidfile", required_argument, NULL, 'p' }, { "bip", required_argument, NULL, OPT_BIP }, { "bridge", required_argument, NULL, 'b' },
    { "config-file", required_argument, NULL, OPT_CONFIG }, { "debug", no_argument, NULL, 'D' }, { "log-level", required_argument, NULL, 'l' },
    { "insecure-registry", required_argument, NULL, OPT_INSECURE }, { "registry-mirror", required_argument, NULL, OPT_MIRROR }, { "cgroup-parent", required_argument, NULL, OPT_CGROUP },
    { "default-runtime", required_argument, NULL, OPT_RUNTIME }, { "add-runtime", required_argument, NULL, OPT_ADD_RUNTIME }, { "label", required_argument, NULL, OPT_LABEL },
    { "storage-opt", required_argument, NULL, OPT_STORAGE }, { "validate", no_argument, NULL, OPT_VALIDATE }, { "docker-compat", no_argument, NULL, OPT_COMPAT },
    { "dns", required_argument, NULL, OPT_DNS }, { "help", no_argument, NULL, OPT_HELP }, { "version", no_argument, NULL, OPT_VERSION }, { NULL, 0, NULL, 0 },
};

static void usage(void)
{
    puts("Usage: holkd [OPTIONS]\n\nOptions:\n"
         "  -H, --host ADDRESS            unix:///path or tcp://ip:port (repeatable; default unix:///run/holk.sock)\n"
         "      --data-root DIR           default /var/lib/holk\n"
         "      --exec-root DIR           default /run/holk\n"
         "  -p, --pidfile FILE\n"
         "      --bip CIDR                address of the default bridge\n"
         "  -b, --bridge NAME             use this bridge; none: no default bridge\n"
         "      --config-file FILE        default /etc/holk/daemon.json\n"
         "      --insecure-registry HOST  http or unverified TLS is fine for this registry (repeatable)\n"
         "      --registry-mirror URL     asked first for docker.io (repeatable)\n"
         "      --cgroup-parent PATH      default /holk\n"
         "      --dns ADDRESS             (repeatable)\n"
         "      --label KEY=VALUE         (repeatable)\n"
         "      --docker-compat           also serve /var/run/docker.sock\n"
         "  -D, --debug\n"
         "  -l, --log-level LEVEL         debug, info, warn, error\n"
         "      --validate                check the configuration and exit\n"
         "      --version\n");
}

static void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = xstrdup(text);
}

static int read_config(const char *path, bool must_exist, struct options *options, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t length = 0;
    int failed = io_read_file_at(AT_FDCWD, path, 1 << 20, &text, &length);
    if (failed == -ENOENT && !must_exist)
        return 0;
    if (failed < 0)
        return err_sys(err, failed, "read %s", path);
    struct options from_file;
    if (codec_decode(&options_type, text, length, &from_file, err) < 0)
        return err_wrap(err, "%s", path);
    codec_clear(&options_type, options);
    *options = from_file;
    return 0;
}

static int find_config(int argc, char **argv, const char **ret)
{
    for (int i = 1; i < argc; i++) {
        if (str_eq(argv[i], "--config-file") && i + 1 < argc)
            *ret = argv[i + 1];
        else if (str_starts(argv[i], "--config-file="))
            *ret = argv[i] + strlen("--config-file=");
        else
            continue;
        return 1;
    }
    return 0;
}

static int refuse_runtime(const char *name, struct err *err)
{
    return str_eq(name, "runc") ? 0 : err_set(err, ERR_UNSUPPORTED, "runtime %s: other runtimes are not supported yet", name);
}

static int take_option(int option, struct options *options, struct err *err)
{
    switch (option) {
    case 'H':
        strv_append(&options->hosts, optarg);
        return 0;
    case OPT_DATA_ROOT:
        set_text(&options->data_root, optarg);
        return 0;
    case OPT_EXEC_ROOT:
        set_text(&options->exec_root, optarg);
        return 0;
    case 'p':
        set_text(&options->pidfile, optarg);
        return 0;
    case OPT_BIP:
        set_text(&options->bip, optarg);
        return 0;
    case 'b':
        set_text(&options->bridge, optarg);
        return 0;
    case 'D':
        options->debug = true;
        return 0;
    case 'l':
        set_text(&options->log_level, optarg);
        return 0;
    case OPT_INSECURE:
        strv_append(&options->insecure_registries, optarg);
        return 0;
    case OPT_MIRROR:
        strv_append(&options->registry_mirrors, optarg);
        return 0;
    case OPT_CGROUP:
        set_text(&options->cgroup_parent, optarg);
        return 0;
    case OPT_LABEL:
        strv_append(&options->labels, optarg);
        return 0;
    case OPT_DNS:
        strv_append(&options->dns, optarg);
        return 0;
    case OPT_VALIDATE:
        options->validate = true;
        return 0;
    case OPT_COMPAT:
        options->docker_compat = true;
        return 0;
    case OPT_RUNTIME:
    case OPT_ADD_RUNTIME:
        return refuse_runtime(optarg, err);
    case OPT_STORAGE:
        return err_set(err, ERR_UNSUPPORTED, "--storage-opt %s is not supported yet", optarg);
    case OPT_CONFIG:
        return 0;
    default:
        return err_set(err, ERR_INVALID, "see holkd --help");
    }
}

static int parse_words(int argc, char **argv, struct options *options, struct err *err)
{
    const char *config = "/etc/holk/daemon.json";
    int named = find_config(argc, argv, &config), option;
    if (read_config(config, named, options, err) < 0)
        return -1;
    optind = 0; /* from the start, also the second time */
    while ((option = getopt_long(argc, argv, "H:p:b:Dl:", long_options, NULL)) != -1) {
        if (option == OPT_HELP || option == OPT_VERSION) {
            if (option == OPT_HELP)
                usage();
            else
                puts("holkd " HOLK_VERSION);
            exit(0);
        }
        if (take_option(option, options, err) < 0)
            return -1;
    }
    if (optind < argc)
        return err_set(err, ERR_INVALID, "unexpected argument %s: see holkd --help", argv[optind]);
    if (!options->data_root)
        options->data_root = xstrdup("/var/lib/holk");
    if (!options->exec_root)
        options->exec_root = xstrdup("/run/holk");
    if (!options->hosts)
        strv_append(&options->hosts, "unix:///run/holk.sock");
    if (options->docker_compat)
        strv_append(&options->hosts, "unix:///var/run/docker.sock");
    if (options->data_root[0] != '/' || options->exec_root[0] != '/')
        return err_set(err, ERR_INVALID, "--data-root and --exec-root must be absolute paths");
    for (size_t i = 0; options->hosts[i]; i++)
        if (server_check_address(options->hosts[i], err) < 0)
            return -1;
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct err *err)
{
    *ret = (struct options){ 0 };
    if (parse_words(argc, argv, ret, err) == 0)
        return 0;
    options_done(ret);
    return -1;
}

void options_done(struct options *options)
{
    codec_clear(&options_type, options);
}
