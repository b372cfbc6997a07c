/*
 * A plugin for QEMU's user-mode emulators that counts the instructions a program executes.
 *
 *     gcc -O2 -shared -fPIC -o count.so count.c
 *     qemu-aarch64 -plugin ./count.so,out=FILE PROGRAM ARGUMENTS
 *
 * FILE gets the number when the program ends. For programs with one thread: the counter is not
 * atomic. The declarations are those of version 1 of the plugin interface (QEMU 4.2 to 8.2), so
 * that no header of QEMU is needed.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum inline_operation { ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*translated)(plugin_id id,
                                                              struct qemu_plugin_tb *block));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block,
                                              enum inline_operation operation, void *counter,
                                              uint64_t amount);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*ended)(plugin_id id, void *data),
                                    void *data);

EXPORTED int qemu_plugin_version = 1;

static uint64_t executed;
static char destination[4096];

/* Each time this block runs, all its instructions are added at once. */
static void on_translation(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &executed,
                                             qemu_plugin_tb_n_insns(block));
}

static void on_end(plugin_id id, void *data)
{
    (void)id;
    (void)data;
    FILE *file = fopen(destination, "w");
    if (file == NULL)
        return;
    fprintf(file, "%" PRIu64 "\n", executed);
    fclose(file);
}

EXPORTED int qemu_plugin_install(plugin_id id, const void *machine, int count, char **arguments)
{
    static const char prefix[] = "out=";
    (void)machine;
    if (count != 1 || strncmp(arguments[0], prefix, sizeof prefix - 1) != 0)
        return 1;
    const char *path = arguments[0] + sizeof prefix - 1;
    if (strlen(path) >= sizeof destination)
        return 1;
    strcpy(destination, path);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
