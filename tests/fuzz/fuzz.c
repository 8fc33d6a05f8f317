/* Feeds mutated inputs to the readers of strangers' bytes. Nothing is random: a run is repeated by its numbers.
 *
 * usage: fuzz [--iterations N] [--seed S] [--only I] [TARGET...]    mutations; --only runs the one numbered input
 *        fuzz --replay TARGET FILE...                               files as they are
 * TAP output, one line per target. FUZZ_TRACE=1 names every input before it is tried. */
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/targets.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>

#define INPUT_MAX 16384
#define SEEDS_MAX 16

struct seed {
    unsigned char bytes[INPUT_MAX];
    size_t length;
};
struct options {
    uint64_t iterations, seed, only;
    bool has_only, replay, trace;
};

static const struct fuzz_target *target_at(size_t index)
{
    size_t texts = 0;
    while (fuzz_text_targets[texts].name)
        texts++;
    return index < texts ? &fuzz_text_targets[index] : &fuzz_binary_targets[index - texts];
}

static size_t take_seeds(const struct fuzz_target *target, struct seed *seeds)
{
    size_t count = 0;
    for (; target->seeds && target->seeds[count] && count < SEEDS_MAX; count++) {
        seeds[count].length = MIN(strlen(target->seeds[count]), (size_t)INPUT_MAX);
        memcpy(seeds[count].bytes, target->seeds[count], seeds[count].length);
    }
    while (target->make_seed && count < SEEDS_MAX && target->make_seed(count, seeds[count].bytes, INPUT_MAX, &seeds[count].length))
        count++;
    return count;
}

static void run_one(const struct fuzz_target *target, const struct seed *seeds, size_t count, const struct options *options, uint64_t number)
{
    static unsigned char input[INPUT_MAX];
    struct random random = { options->seed * 0x100000001b3ULL + number };
    const struct seed *seed = &seeds[random_below(&random, (uint32_t)count)], *other = &seeds[random_below(&random, (uint32_t)count)];
    size_t length = seed->length;
    memcpy(input, seed->bytes, length);
    mutate(&random, input, &length, INPUT_MAX, other->bytes, other->length, target->words);
    if (options->trace)
        fprintf(stderr, "%s %llu\n", target->name, (unsigned long long)number);
    target->run(input, length);
}

static void run_target(const struct fuzz_target *target, const struct options *options)
{
    struct seed *seeds = xcalloc(SEEDS_MAX, sizeof *seeds);
    size_t count = take_seeds(target, seeds);
    for (size_t i = 0; i < count && !options->has_only; i++)
        target->run(seeds[i].bytes, seeds[i].length);
    for (uint64_t number = 0; number < options->iterations && !options->has_only; number++)
        run_one(target, seeds, count, options, number);
    if (options->has_only)
        run_one(target, seeds, count, options, options->only);
    free(seeds);
}

static int replay(const struct fuzz_target *target, char **files)
{
    for (; *files; files++) {
        AUTO_FREE char *bytes = NULL;
        size_t length;
        if (io_read_file_at(AT_FDCWD, *files, 16 << 20, &bytes, &length) < 0) {
            fprintf(stderr, "%s: cannot be read\n", *files);
            return 1;
        }
        target->run((const unsigned char *)bytes, length);
    }
    return 0;
}

static const struct fuzz_target *find_target(const char *name)
{
    for (size_t i = 0; target_at(i)->name; i++)
        if (str_eq(target_at(i)->name, name))
            return target_at(i);
    fprintf(stderr, "no target %s\n", name);
    exit(2);
}

static struct options parse(int argc, char **argv)
{
    static const struct option long_options[] = { { "iterations", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' },
                                                  { "only", required_argument, NULL, 'o' }, { "replay", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
    struct options options = { .iterations = 2000, .seed = 1, .trace = getenv("FUZZ_TRACE") != NULL };
    int option, failed = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'r')
            options.replay = true;
        else if (option == 'n')
            failed |= str_to_u64(optarg, &options.iterations);
        else if (option == 's')
            failed |= str_to_u64(optarg, &options.seed);
        else if (option == 'o')
            failed |= str_to_u64(optarg, &options.only);
        else
            failed = -1;
        options.has_only |= option == 'o';
    }
    if (failed) {
        fprintf(stderr, "usage: fuzz [--iterations N] [--seed S] [--only I] [TARGET...] | --replay TARGET FILE...\n");
        exit(2);
    }
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    size_t count = 0, named = (size_t)(argc - optind);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (options.replay && named >= 1)
        return replay(find_target(argv[optind]), argv + optind + 1);
    while (target_at(count)->name)
        count++;
    printf("1..%zu\n", named ? named : count);
    for (size_t i = 0; i < (named ? named : count); i++) {
        const struct fuzz_target *target = named ? find_target(argv[(size_t)optind + i]) : target_at(i);
        run_target(target, &options);
        printf("ok %zu %s\n", i + 1, target->name);
    }
    return 0;
}
