// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

// Compiled ahead of time, this program cannot generate code; if it can, the probe was published the wrong
// way. What else it should call of the libraries to show that they also run, not only compile, goes here.
if (RuntimeFeature.IsDynamicCodeSupported)
{
    Console.Error.WriteLine("aot-probe: this is not an ahead-of-time compiled program");
    return 1;
}

Console.WriteLine("aot-probe: ok");
return 0;
