// Runs a Lua script with the LuaJIT library that wrk and nginx use: luajit LIBRARY SCRIPT [ARGUMENT ...]
//
// Debian's interpreter is a package of its own; the library is there as soon as wrk is. The arguments are those of the
// script's main chunk ("...").
#include <dlfcn.h>
#include <stdio.h>

static void *find(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol) fprintf(stderr, "%s\n", dlerror());
    return symbol;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    void *(*new_state)(void) = find(library, "luaL_newstate");
    void (*open_libraries)(void *) = find(library, "luaL_openlibs");
    int (*load_file)(void *, const char *) = find(library, "luaL_loadfile");
    void (*push)(void *, const char *) = find(library, "lua_pushstring");
    int (*call)(void *, int, int, int) = find(library, "lua_pcall");
    const char *(*text)(void *, int, size_t *) = find(library, "lua_tolstring");
    if (!new_state || !open_libraries || !load_file || !push || !call || !text) return 2;
    void *state = new_state();
    if (!state) return 2;
    open_libraries(state);
    int status = load_file(state, argv[2]);
    for (int index = 3; status == 0 && index < argc; index++) push(state, argv[index]);
    if (status == 0) status = call(state, argc - 3, 0, 0);
    if (status != 0) fprintf(stderr, "%s\n", text(state, -1, NULL));
    return status == 0 ? 0 : 1;
}
