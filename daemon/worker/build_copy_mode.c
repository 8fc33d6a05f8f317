#include "daemon/worker/build_copy_mode.h"

#include "lib/base/str.h"

#define USER (S_ISUID | S_IRWXU)
#define GROUP (S_ISGID | S_IRWXG)
#define OTHER S_IRWXO
#define EVERYBODY (USER | GROUP | OTHER | S_ISVTX)
#define OCTAL 'o' /* how, of the octal form */

static const char *parse_who(const char *p, mode_t *ret)
{
    *ret = 0;
    for (;; p++) {
        if (*p == 'u')
            *ret |= USER;
        else if (*p == 'g')
            *ret |= GROUP;
        else if (*p == 'o')
            *ret |= OTHER | S_ISVTX;
        else if (*p == 'a')
            *ret |= EVERYBODY;
        else
            break;
    }
    if (!*ret)
        *ret = EVERYBODY;
    return p;
}

static const char *parse_bits(const char *p, struct mode_clause *clause)
{
    if (*p == 'u' || *p == 'g' || *p == 'o') {
        clause->copy_from = *p;
        return p + 1;
    }
    for (;; p++) {
        if (*p == 'r')
            clause->bits |= 0444;
        else if (*p == 'w')
            clause->bits |= 0222;
        else if (*p == 'x')
            clause->bits |= 0111;
        else if (*p == 's')
            clause->bits |= S_ISUID | S_ISGID;
        else if (*p == 't')
            clause->bits |= S_ISVTX;
        else if (*p == 'X')
            clause->execute_if_any = 1;
        else
            return p;
    }
}

/* "u+x" or "g=u-w" up to a comma: one clause per operator. NULL for bad syntax. */
static const char *parse_part(const char *p, struct mode_change *change)
{
    mode_t who;
    p = parse_who(p, &who);
    if (*p != '+' && *p != '-' && *p != '=')
        return NULL;
    while (*p == '+' || *p == '-' || *p == '=') {
        if (change->count == MODE_CLAUSES_MAX)
            return NULL;
        struct mode_clause *clause = &change->clauses[change->count++];
        *clause = (struct mode_clause){ .who = who, .how = *p };
        p = parse_bits(p + 1, clause);
    }
    return *p == ',' || !*p ? p : NULL;
}

int mode_change_parse(const char *text, struct mode_change *ret, struct err *err)
{
    uint64_t octal;
    struct mode_change change = { .count = 0 };
    if (!str_empty(text) && str_to_u64_base(text, 8, &octal) == 0 && octal <= 07777) {
        change.count = 1;
        change.clauses[0] = (struct mode_clause){ .how = OCTAL, .bits = (mode_t)octal };
    } else if (!str_empty(text)) {
        const char *p = text;
        while ((p = parse_part(p, &change)) && *p == ',')
            p++;
        if (!p)
            return err_set(err, ERR_INVALID, "invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777", text);
    }
    *ret = change;
    return 0;
}

/* The bits of one of user, group and others, for all three. */
static mode_t spread(mode_t mode, char from)
{
    mode_t bits = from == 'u' ? mode >> 6 & 7 : from == 'g' ? mode >> 3 & 7 : mode & 7;
    return bits << 6 | bits << 3 | bits;
}

static mode_t apply_clause(const struct mode_clause *clause, mode_t mode, mode_t type)
{
    mode_t bits = clause->copy_from ? spread(mode, clause->copy_from) : clause->bits;
    if (clause->execute_if_any && (S_ISDIR(type) || (mode & 0111)))
        bits |= 0111;
    bits &= clause->who;
    switch (clause->how) {
    case '+':
        return mode | bits;
    case '-':
        return mode & ~bits;
    case OCTAL:
        return clause->bits;
    default:
        return (mode & ~clause->who) | bits;
    }
}

mode_t mode_change_apply(const struct mode_change *change, mode_t mode)
{
    mode_t bits = mode & 07777;
    for (size_t i = 0; i < change->count; i++)
        bits = apply_clause(&change->clauses[i], bits, mode & S_IFMT);
    return bits;
}

int mode_change_octal(const struct mode_change *change)
{
    return change->count == 1 && change->clauses[0].how == OCTAL ? (int)change->clauses[0].bits : -1;
}
