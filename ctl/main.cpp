// SPDX-License-Identifier: Apache-2.0
// zokioctl: the command line of zokiod.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli.h"

int main(int argc, char** argv) {
  zokioctl::Context context(std::cin, std::cout, std::cerr);
  const char* no_color = std::getenv("NO_COLOR");
  const bool color = no_color == nullptr || *no_color == '\0';
  context.color_out = color && isatty(STDOUT_FILENO) == 1;
  context.color_err = color && isatty(STDERR_FILENO) == 1;
  try {
    const int code = zokioctl::run_cli(std::vector<std::string>(argv + 1, argv + argc), context);
    std::cout.flush();
    if (!std::cout) {
      std::cerr << "error: cannot write the output\n";
      return zokioctl::kExitFailed;
    }
    return code;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return zokioctl::kExitFailed;
  }
}
