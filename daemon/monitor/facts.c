#include "daemon/monitor/monitor.h"

#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <stdio.h>
#include <unistd.h>

void fact_append(struct monitor *monitor, struct mon_fact *fact)
{
    fact->magic = MON_MAGIC;
    fact->number = monitor->fact_count;
    if (!fact->time_unix_ns)
        fact->time_unix_ns = time_now_unix_ns();
    fact->sum = mon_fact_sum(fact);
    if (pwrite(monitor->facts_fd, fact, sizeof *fact, (off_t)(monitor->fact_count * MON_FACT_SIZE)) != (ssize_t)sizeof *fact)
        return; /* the tmpfs is full: the next fact takes the number */
    monitor->fact_count++;
    clients_notice(monitor);
}

void fact_text(struct monitor *monitor, enum mon_fact_kind kind, const char *text)
{
    struct mon_fact fact = { .kind = kind };
    str_copy(fact.text, sizeof fact.text, text);
    fact_append(monitor, &fact);
}
