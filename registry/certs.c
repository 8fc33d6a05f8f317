#include "registry/certs.h"

#include "lib/base/buf.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PEM_MAX ((size_t)1 << 20)

void certs_done(struct certs *certs)
{
    free(certs->host);
    free(certs->authorities);
    free(certs->certificate);
    if (certs->key)
        explicit_bzero(certs->key, strlen(certs->key));
    free(certs->key);
    *certs = (struct certs){ .host = NULL };
}

/* -1: there is no such directory. */
static int open_dir(const char *dir, const char *host)
{
    static const char *const usual[] = { "/etc/holk/certs.d", "/etc/docker/certs.d" };
    for (size_t i = 0; i < (str_empty(dir) ? ARRAY_SIZE(usual) : 1); i++) {
        AUTO_FREE char *path = path_join(str_empty(dir) ? usual[i] : dir, host);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static char **names_in(int dir_fd)
{
    char **names = NULL;
    int copy = fd_dup(dir_fd);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (str_ends(entry->d_name, ".crt") || str_ends(entry->d_name, ".cert") || str_ends(entry->d_name, ".key"))
            strv_append(&names, entry->d_name);
    if (stream)
        closedir(stream);
    strv_sort(names);
    return names;
}

static int read_pem(int dir_fd, const char *name, char **ret, struct err *err)
{
    size_t length;
    int r = io_read_file_at(dir_fd, name, PEM_MAX, ret, &length);
    return r < 0 ? err_sys(err, r, "read the certificate %s", name) : 0;
}

static int take_pair(int dir_fd, const char *cert_name, char *const *names, struct certs *ret, struct err *err)
{
    AUTO_FREE char *stem = xstrndup(cert_name, strlen(cert_name) - strlen(".cert"));
    AUTO_FREE char *key_name = str_format("%s.key", stem);
    if (!strv_contains(names, key_name))
        return err_set(err, ERR_INVALID,
                       "missing key %s for client certificate %s. CA certificates must use the extension .crt",
                       key_name, cert_name);
    if (ret->certificate)
        return 0; /* one pair is shown; the first by name */
    if (read_pem(dir_fd, cert_name, &ret->certificate, err) < 0)
        return -1;
    return read_pem(dir_fd, key_name, &ret->key, err);
}

static int take_file(int dir_fd, const char *name, char *const *names, struct buf *authorities, struct certs *ret,
                     struct err *err)
{
    if (str_ends(name, ".cert"))
        return take_pair(dir_fd, name, names, ret, err);
    if (str_ends(name, ".key")) {
        AUTO_FREE char *cert_name = str_format("%.*s.cert", (int)(strlen(name) - strlen(".key")), name);
        return strv_contains(names, cert_name)
                   ? 0
                   : err_set(err, ERR_INVALID, "missing client certificate %s for key %s", cert_name, name);
    }
    AUTO_FREE char *pem = NULL;
    if (read_pem(dir_fd, name, &pem, err) < 0)
        return -1;
    buf_printf(authorities, "%s\n", pem);
    return 0;
}

int certs_load(const char *dir, const char *host, struct certs *ret, struct err *err)
{
    AUTO_BUF struct buf authorities = BUF_INIT(8 * PEM_MAX);
    *ret = (struct certs){ .host = xstrdup(host) };
    AUTO_FD int dir_fd = strchr(host, '/') || *host == '.' ? -1 : open_dir(dir, host);
    CLEANUP(strv_free) char **names = dir_fd < 0 ? NULL : names_in(dir_fd);
    int r = 0;
    for (size_t i = 0; r == 0 && names && names[i]; i++)
        r = take_file(dir_fd, names[i], names, &authorities, ret, err);
    if (r == 0 && buf_failed(&authorities))
        r = err_set(err, ERR_INVALID, "the certificates for %s are too large", host);
    if (r < 0) {
        certs_done(ret);
        return -1;
    }
    ret->authorities = buf_take(&authorities);
    return 0;
}
