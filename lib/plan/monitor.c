#include "lib/plan/monitor.h"

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

uint32_t mon_fact_sum(const struct mon_fact *fact)
{
    const unsigned char *bytes = (const unsigned char *)fact;
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < offsetof(struct mon_fact, sum); i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

void mon_err_pack(const struct err *err, struct mon_err *ret)
{
    *ret = (struct mon_err){ .kind = (uint32_t)err->kind, .sys_errno = err->sys_errno };
    str_copy(ret->text, sizeof ret->text, err->text);
}

void mon_err_unpack(const struct mon_err *in, struct err *ret)
{
    *ret = (struct err){ .kind = in->kind && in->kind <= ERR_CANCELLED ? (enum err_kind)in->kind : ERR_INTERNAL, .sys_errno = in->sys_errno };
    memcpy(ret->text, in->text, sizeof ret->text);
    ret->text[sizeof ret->text - 1] = '\0';
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
};

int mon_send(int sock, uint16_t verb, uint32_t seq, const void *body, size_t length, const void *more, size_t more_length, const int *fds, size_t fd_count)
{
    struct mon_header header = { .magic = MON_MAGIC, .verb = verb, .seq = seq, .length = (uint32_t)(length + more_length) };
    struct iovec parts[3] = { { &header, sizeof header }, { NULL, length }, { NULL, more_length } };
    union control control;
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
    if (sizeof header + length + more_length > MON_PACKET_MAX || fd_count > FD_PASS_MAX)
        return -EMSGSIZE;
    memcpy(&parts[1].iov_base, &body, sizeof body);
    memcpy(&parts[2].iov_base, &more, sizeof more);
    if (fd_count) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(sock, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

ssize_t mon_recv(int sock, void *packet, struct mon_header *ret_header, const void **ret_body, int *ret_fds, size_t *inout_fd_count)
{
    ssize_t got = fd_recv(sock, packet, MON_PACKET_MAX, ret_fds, inout_fd_count);
    if (got == 0)
        return -EPIPE;
    if (got < 0)
        return got;
    if ((size_t)got >= sizeof *ret_header)
        memcpy(ret_header, packet, sizeof *ret_header);
    if ((size_t)got < sizeof *ret_header || ret_header->magic != MON_MAGIC || ret_header->length != (size_t)got - sizeof *ret_header) {
        while (*inout_fd_count > 0)
            fd_close(ret_fds[--*inout_fd_count]);
        return -EBADMSG;
    }
    *ret_body = (const char *)packet + sizeof *ret_header;
    return (ssize_t)ret_header->length;
}

int64_t mon_facts_read(int facts_fd, uint64_t from, mon_fact_fn fn, void *arg)
{
    struct mon_fact fact;
    for (;; from++) {
        ssize_t got;
        do {
            got = pread(facts_fd, &fact, sizeof fact, (off_t)(from * MON_FACT_SIZE));
        } while (got < 0 && errno == EINTR);
        if (got < 0)
            return -errno;
        if (got != (ssize_t)sizeof fact || fact.magic != MON_MAGIC || fact.number != from || fact.sum != mon_fact_sum(&fact))
            return (int64_t)from;
        fact.exec_id[sizeof fact.exec_id - 1] = '\0';
        fact.text[sizeof fact.text - 1] = '\0';
        fn(&fact, arg);
    }
}
