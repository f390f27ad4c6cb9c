/* Prints whether sessions may pass: lookup PATH KEY ... */
#include <sluice_lookup.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments)
{
    static const char *const names[] = {"refused", "allowed", "absent", "stale", "busy"};
    char user[256];
    sluice_lookup *sessions = count > 1 ? sluice_lookup_open(arguments[1]) : NULL;
    if (sessions == NULL) return 2;
    int active = sluice_lookup_condition(sessions, "active");
    struct sluice_value value = {
        .field = sluice_lookup_field(sessions, "user_id"), .buffer = user, .capacity = sizeof user};
    for (int index = 2; index < count; index++) {
        const char *key = arguments[index];
        enum sluice_answer answer = sluice_lookup_get(sessions, key, strlen(key), active, &value, 1);
        /* A longer value was cut off: do not act for another user. */
        if (answer == SLUICE_ALLOWED && value.length > value.capacity) answer = SLUICE_REFUSED;
        int length = answer == SLUICE_ALLOWED ? (int)value.length : 0;
        printf("%s %s %.*s\n", key, names[answer], length, user);
    }
    sluice_lookup_close(sessions);
    return 0;
}
