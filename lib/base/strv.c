#include "lib/base/strv.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"

size_t strv_length(char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    return count;
}

void strv_free(char **list)
{
    for (char **item = list; item && *item; item++)
        free(*item);
    free(list);
}

char **strv_dup(char *const *list)
{
    if (!list)
        return NULL;
    size_t count = strv_length(list);
    char **copy = xcalloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

void strv_append_take(char ***list, char *text)
{
    size_t count = strv_length(*list);
    *list = xreallocarray(*list, count + 2, sizeof **list);
    (*list)[count] = text;
    (*list)[count + 1] = NULL;
}

void strv_append(char ***list, const char *text)
{
    strv_append_take(list, xstrdup(text));
}

void strv_extend(char ***list, char *const *more)
{
    for (; more && *more; more++)
        strv_append(list, *more);
}

bool strv_contains(char *const *list, const char *text)
{
    for (; list && *list; list++)
        if (str_eq(*list, text))
            return true;
    return false;
}

bool strv_remove(char **list, const char *text)
{
    for (; list && *list; list++) {
        if (!str_eq(*list, text))
            continue;
        free(*list);
        for (; *list; list++)
            list[0] = list[1];
        return true;
    }
    return false;
}

char **strv_split(const char *text, char separator, bool skip_empty)
{
    char **list = xcalloc(1, sizeof *list);
    for (;;) {
        const char *end = strchr(text, separator);
        size_t length = end ? (size_t)(end - text) : strlen(text);
        if (length || !skip_empty)
            strv_append_take(&list, xstrndup(text, length));
        if (!end)
            return list;
        text = end + 1;
    }
}

char *strv_join(char *const *list, const char *separator)
{
    struct buf text = BUF_INIT(BUF_TEXT_MAX);
    for (size_t i = 0; list && list[i]; i++)
        buf_printf(&text, "%s%s", i ? separator : "", list[i]);
    char *joined = buf_take(&text);
    return joined ? joined : xstrdup("");
}

static int order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(char **list)
{
    if (list)
        qsort(list, strv_length(list), sizeof *list, order);
}

bool strv_equal(char *const *a, char *const *b)
{
    size_t count = strv_length(a);
    if (count != strv_length(b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return true;
}

static char *const *find_name(char *const *list, const char *name, size_t length)
{
    for (; list && *list; list++)
        if (strncmp(*list, name, length) == 0 && ((*list)[length] == '=' || (*list)[length] == '\0'))
            return list;
    return NULL;
}

const char *strv_env_get(char *const *list, const char *name)
{
    char *const *found = find_name(list, name, strlen(name));
    const char *equals = found ? strchr(*found, '=') : NULL;
    return equals ? equals + 1 : NULL;
}

void strv_env_set(char ***list, const char *assignment)
{
    char *const *found = find_name(*list, assignment, strcspn(assignment, "="));
    if (!found) {
        strv_append(list, assignment);
        return;
    }
    size_t index = (size_t)(found - *list);
    free((*list)[index]);
    (*list)[index] = xstrdup(assignment);
}
