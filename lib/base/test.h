/* Unit tests in TAP, so that meson shows every case.
 *     TEST(join) { CHECK_STR(path_join("a", "b"), "a/b"); }
 *     TESTS(T(join), T(clean))
 * A failed check prints place and values and marks the case; the case goes on. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_failures;
struct test_case {
    const char *name;
    void (*run)(void);
};
#define TEST(name) static void test_##name(void)
#define T(name) { #name, test_##name }
#define CHECK(expr)                                                                    \
    do {                                                                               \
        if (!(expr)) {                                                                 \
            test_failures++;                                                           \
            printf("# %s:%d: failed: %s\n", __FILE__, __LINE__, #expr);                \
        }                                                                              \
    } while (0)
#define CHECK_INT(got, want)                                                                          \
    do {                                                                                              \
        long long got_ = (long long)(got), want_ = (long long)(want);                                 \
        if (got_ != want_) {                                                                          \
            test_failures++;                                                                          \
            printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_);         \
        }                                                                                             \
    } while (0)
#define CHECK_STR(got, want)                                                                          \
    do {                                                                                              \
        const char *got_ = (got), *want_ = (want);                                                    \
        if (!got_ || !want_ ? got_ != want_ : strcmp(got_, want_) != 0) {                             \
            test_failures++;                                                                          \
            printf("# %s:%d: %s is\n#   %s\n# not\n#   %s\n", __FILE__, __LINE__, #got, got_ ? got_ : "(null)", want_ ? want_ : "(null)"); \
        }                                                                                             \
    } while (0)
#define TESTS(...)                                                              \
    int main(void)                                                              \
    {                                                                           \
        static const struct test_case cases[] = { __VA_ARGS__ };                \
        size_t count = sizeof cases / sizeof cases[0], failed = 0;              \
        setvbuf(stdout, NULL, _IOLBF, 0);                                       \
        printf("1..%zu\n", count);                                              \
        for (size_t i = 0; i < count; i++) {                                    \
            test_failures = 0;                                                  \
            cases[i].run();                                                     \
            printf("%s %zu %s\n", test_failures ? "not ok" : "ok", i + 1, cases[i].name); \
            failed += test_failures != 0;                                       \
        }                                                                       \
        return failed != 0;                                                     \
    }
