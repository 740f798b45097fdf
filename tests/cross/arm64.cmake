# arm64.cmake - sonoc itself for 64-bit ARM, against the libraries that scripts/build-arm64 unpacks.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

# Libraries and headers are the sysroot's; the ONNX schema, LLVM's headers and all programs this machine's.
set(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../../build/arm64/sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig)
file(GLOB LLVM_LIBRARY ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/libLLVM.so.*)
