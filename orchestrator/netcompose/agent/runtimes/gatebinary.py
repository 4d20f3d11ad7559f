# Built from tools/gate/gate.c by `python tools/gate/build.py`; do not edit.
"""The gate: the program that image containers start with (see gate.py), by machine, as base64 of zlib."""

from __future__ import annotations

from typing import Mapping

PROGRAMS: Mapping[str, str] = {
    "x86_64": (
        "eNqtVd1rFFcUv7PZCSFVZyJ+VWoZ7EJbwV0GKsSk6g7dlDsw0kqTVkGEzWZjQuOuZmaogm3GzoZmEhZ88Nm/QnBJaXYabdLSl3Yf"
        "pA9aFBU3TjSR0hiTNuM5d3bXzVZLH3ohc77P+Z1zz96MdGkfhjiOVE+IHCQolUmcyfGK/ihfcwFdO2mCL0/CzLfOVBcR0Pcqxiol"
        "YkAwrhm9Kvr41vg6WjvienrkvtHXTP77qYbLj6jzgNr3FsudINkLllJ4AAxN+XKpSy5pjkudGwLvPaHOmlyy3t9GDJ76096fYCwg"
        "2GIIPgJ/TflM+VTpUbp7PqH2dUubeFu1/+JGdgbpil9hqfUJZZfmj0dEpbARbKrzjDqJyDvKZAvzRLfZRERcgnEVsQx1fkfFDmDD"
        "yEhoEXhWHZyBa6pxrTVuQ40Tqtx3zC8/FBGUKTccJ0rxLVDMJCICAXjQ1LuIF0tOcaQFSlBnlo665zZX4C9rztOgg5/7ESFHZHf8"
        "osTHyVh3eDP1XWovbzEf4Xj2BLgnt7EJqdDSqGvu0pzHkxzTUP9H84B1PiKcNLYUEJa3jxWhThkqeNGP8kN3REwUtDajOdOQZmJQ"
        "VPNnRM0pe7sC56pp7pjv+4rV/rGxidpuizZBDkPBx95uxTrLKaYHJNRt3gPSRM1bQMIHzBuq7fJes1K4DbOAXONiriTkVqGgtRLD"
        "q3a9eYTQyXpZ0JyHOJFrc6N4TXCDR0Jd42IXxIxijGKtcKr9m4+Nbpjhl9oIibItodw0vbCCWyd8g44zFi50TC4lxru3ksTYJVEB"
        "GRaL7v9V99igF6u1YKBrQu4HzGIvzwu5bwPuDyF3Ba/KAuDlE3/7vjpxTiz3AEPt1TVjO3znjbZiHs2HQMt20BOKl1ERRcUIImb7"
        "2bCa1peAM8fDNNXZ62tAiohWmepkLbYT4wP5J+v8RnRaBjP1v/cWofUOGByIWv4NUb2w6sPKfdGaGLsYZ525qu/O/YJm567q3PSu"
        "Ap07BLlf/vvMpI1U9tTprJ7ukEiHlEpmMllD6k1Lw2amFRQo9WfNTJ80mJGMgbQ0eCp5Mt36z0R7Ze5l+WOmPhwbyqaSQzG9dzDT"
        "USfXxBcGxgQifFh89AXCmJ5NfZ424K71Ad0YNpK9JGqkzxokOpztSxpJEu3VdfL/nNfq3khS9x6XK/LXTev9G5tvq+hCFRm3J6CB"
        "fKXBX2qQX4c/fKKqZWrvc8M7/qp4ri62/lT/D7xJ/h3/c1Wurkg="
    ),
    "aarch64": (
        "eNqlVV9oW1UY/517b/6YRpeUwjKGy20LOuZMEFtI+qC30frkwyx58C1N0swb1iZLcgt1E3LFiUh92FXBl21U2KALDBw4OkRo3cPo"
        "g76Eor556yhWOx8iCqtSr9+5ube9zUQFL3z5/v6+833fOTmnOfHySwJjcD8By+DaFhRbVxz7t769ELKlINKvHz471uPyILr8E8fp"
        "ckS6jOP8XlhEOchxMN7lr2xq037898+FPw69fYzIFGHEgA+lN5QPTFFqrfXpbUZ2gUgEl7H+u2Ud3j2/cp2mEd2l+N8s66MNES0e"
        "I6uF1CowGgzqbcWDWRVzX2ckGA9s7PJ1jvND2flOQmcGyK4e0ifvUR4JuHhB7zd+pHzv6MzwEV6XMjfMALthHcaOOX/t9sZbMNYi"
        "Tk2sm/8a5V6JocMsK/sk2RdkwXjPZEaALf5yAvrkhhhorcWoPk8vVhNpjt2ktSA9WAbZfnoBr/P8gnomNQgsgPIOBZGOn0JnnHKb"
        "oq/F/eoRvX1H2O9viuGW7WvC2Aro7SHHHoew/Sb1ZzaVdPwSqy0yZI8H+Jx9LXeuPM4Uw62l8MOzbtO87gZheDFPPOpfcHEnHlF2"
        "BsdhfC/6WwrNUxbwKZ29dFNhtUERWVEiWWK1LwSSgySfYrU8l8Mky6zGuBwh+VfUPqbapAEYphiivVTSBYZRhSlpqnkkQEf0Kejv"
        "/wAYX/n0yftEzwEDGZnWphpzn6M2RX3yeXVIXzrK6w21eF1uL/acaX+xGDU02muZaq8TXwni5tVY9jMlQHjuX48aM2Q/T3l4vkx5"
        "KnXHskYFmgPP9TbVtrKF2tWYci4vITsBjFyguCJwa5j8PwPpAoSFnKR0VOrvvjqcKpL/HkR7bhPlQqqkDqX4ecwB2+/a+xqwa+V1"
        "u/XGqS5es0S18Tltin2tbdoDndanXke5/iWvkeK/Ia7SmvHd5zsqzWHTWZPXtU6++Ahuyn9a2VU7nnqM9RvPUo8mnfsM2SolrVid"
        "PVttlMZkjMnFfKVS1eRCSa7PVUJk4Nrp6lxlWi5XZE0tyeXZ/GulEJJzjXpyplrMzyQbhXJlzKPvqfsOW+iq9MP/9zG2d59IPfre"
        "PSQQiUQhojDRIW/A08/Yl2Mysd9BslEtnilpB+4Xdm4S0vwxdjQct210x+DSH5YlO/4BopNES2SzMeOPRS4LVxiXXyRaJPtJJ5Zj"
        "XyW6TbYB0Y69yC73X4lyZ6KhNrS6li8goZXmNSTq1em8lkeipOZO1/OzJSQKjQb+79fXc0e778GWo+viwXipBx/1zJZ/qqQ4vKuv"
        "98QHe/QjPXjF57xHzjty9l/ww45NfOh96XkYPOegVxf/Zi7uO3Yc/4z/Cy25pNs="
    ),
}
