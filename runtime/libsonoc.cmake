# libsonoc.cmake - the library as it is shipped: libsonoc.so and libsonoc.a, headers, pkg-config file, CMake package.
#
# Both hold all layers and show what sonoc.h declares and nothing else: the layers are compiled with hidden visibility,
# and for the archive they are linked into one object whose hidden symbols become local.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(layer_objects "")
foreach(layer schema ir frontend passes backends custom_ops runtime library)
    list(APPEND layer_objects $<TARGET_OBJECTS:${layer}>)
endforeach()

set(sonoc_needs Threads::Threads ${CMAKE_DL_LIBS} m)
set(sonoc_libs_private "-lpthread -ldl -lm")
if(machine_code_library)
    list(PREPEND sonoc_needs ${machine_code_library})
    string(PREPEND sonoc_libs_private "${machine_code_library} ")
endif()

add_library(libsonoc SHARED ${layer_objects})
set_target_properties(libsonoc PROPERTIES
    OUTPUT_NAME sonoc EXPORT_NAME sonoc VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C)
target_link_libraries(libsonoc PRIVATE PkgConfig::PROTOBUF_C ${sonoc_needs})

target_link_options(libsonoc PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/runtime/libsonoc.map)

set(one_object ${CMAKE_CURRENT_BINARY_DIR}/sonoc_whole.o)
add_custom_command(
    OUTPUT ${one_object}
    COMMAND ${CMAKE_LINKER} -r -o ${one_object} ${layer_objects}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${one_object}
    DEPENDS ${layer_objects}
    COMMAND_EXPAND_LISTS VERBATIM)
add_library(libsonoc_static STATIC ${one_object})
set_target_properties(libsonoc_static PROPERTIES OUTPUT_NAME sonoc EXPORT_NAME sonoc_static LINKER_LANGUAGE C)
target_link_libraries(libsonoc_static INTERFACE protobuf-c ${sonoc_needs})

set(sonoc_headers runtime/sonoc.h custom_ops/sonoc_op.h)
foreach(target libsonoc libsonoc_static)
    target_include_directories(${target} INTERFACE
        $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/runtime> $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/custom_ops>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

install(FILES ${sonoc_headers} TYPE INCLUDE)
install(FILES python/sonoc.py DESTINATION ${CMAKE_INSTALL_DATADIR}/sonoc/python)
install(TARGETS libsonoc libsonoc_static EXPORT sonoc)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sonoc)
install(EXPORT sonoc NAMESPACE sonoc:: FILE sonocTargets.cmake DESTINATION ${package_dir})
file(CONFIGURE OUTPUT sonocConfig.cmake @ONLY CONTENT
    "include(CMakeFindDependencyMacro)\nfind_dependency(Threads)\ninclude(\${CMAKE_CURRENT_LIST_DIR}/sonocTargets.cmake)\n")
write_basic_package_version_file(sonocConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sonocConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/sonocConfigVersion.cmake DESTINATION ${package_dir})

configure_file(runtime/sonoc.pc.in sonoc.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sonoc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
