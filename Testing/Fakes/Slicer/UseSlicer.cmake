include(CTest)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(_copy_all target destination)
  set(copies)
  foreach(file IN LISTS ARGN)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "${target} given nonexistent file '${file}'")
    endif()
    add_custom_command(
      OUTPUT ${destination}/${file}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file}
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${destination}/${file}
      )
    list(APPEND copies ${destination}/${file})
  endforeach()
  add_custom_target(Copy${target} ALL DEPENDS ${copies})
endfunction()

macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(MY
    "NO_INSTALL_SUBDIR;GLOBAL_TARGET"
    "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR"
    "SCRIPTS;RESOURCES"
    ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown keywords: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  foreach(name TARGET_NAME SCRIPTS DESTINATION_DIR INSTALL_DIR)
    if(NOT DEFINED MY_${name})
      message(FATAL_ERROR "${name} is mandatory")
    endif()
  endforeach()
  _copy_all(${MY_TARGET_NAME} ${MY_DESTINATION_DIR} ${MY_SCRIPTS} ${MY_RESOURCES})
  add_custom_target(Compile${MY_TARGET_NAME} ALL
    COMMAND ${Python3_EXECUTABLE} -m compileall -q ${MY_DESTINATION_DIR}
    DEPENDS Copy${MY_TARGET_NAME})
  set(_installed ${MY_DESTINATION_DIR})
  if(MY_NO_INSTALL_SUBDIR)
    set(_installed ${MY_DESTINATION_DIR}/)
  endif()
  install(DIRECTORY ${_installed} DESTINATION ${MY_INSTALL_DIR} COMPONENT RuntimeLibraries)
endmacro()

macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MODULE_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown keywords: ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${MODULE_NAME}
    SCRIPTS "${MODULE_SCRIPTS}"
    RESOURCES "${MODULE_RESOURCES}"
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    NO_INSTALL_SUBDIR
    )
  if(BUILD_TESTING AND MODULE_WITH_GENERIC_TESTS)
    add_test(NAME py_nomainwindow_qSlicer${MODULE_NAME}ModuleGenericTest COMMAND Slicer)
  endif()
endmacro()

macro(slicer_add_python_unittest)
  cmake_parse_arguments(TEST "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS ${TEST_SCRIPT})
    message(FATAL_ERROR "no script ${TEST_SCRIPT}")
  endif()
  get_filename_component(_test ${TEST_SCRIPT} NAME_WE)
  add_test(NAME py_${TEST_TESTNAME_PREFIX}${_test} COMMAND Slicer ${TEST_SLICER_ARGS})
endmacro()
