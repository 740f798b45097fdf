# cmake -DOUT=FILE.c -DFOLDER=runtime -P embed_pool.cmake: the texts of pool.h and pool.c as C strings, for emit_c_threads.c.
set(out "/* made by embed_pool.cmake */\n#include \"emit_c_text.h\"\n")
foreach(kind h c)
    file(READ ${FOLDER}/pool.${kind} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND out "const char pool_${kind}_text[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${out}")
