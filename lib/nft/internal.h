/* Shared by the files of this room. */
#pragma once
#include "lib/nft/nft.h"
#include <libmnl/libmnl.h>

struct nft {
    struct mnl_socket *sock;
    unsigned portid;
};
struct nft_batch {
    char *bytes;
    size_t length, capacity;
    bool failed;
    uint8_t family;
    uint32_t seq, messages;
    char table[64];
    struct nlmsghdr *head; /* message being written: lies in bytes */
    struct nlattr *expressions, *expression, *data;
};
/* A message of the subsystem: generic header filled. */
struct nlmsghdr *nft_message(void *room, uint16_t type, uint16_t flags, uint8_t family, uint32_t seq);
int nft_request(struct nft *nft, struct nlmsghdr *head, mnl_cb_t fn, void *arg);
