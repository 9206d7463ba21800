<<<<<<<< HEAD:web/dist/assets/address-MbA0jOcc.js
import{V as e}from"./index-Dt-Y7qpy.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
========
import{V as e}from"./index-B2MiWszu.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
>>>>>>>> 0478320b (A job's page says what of its outlook was not looked for):web/dist/assets/address-qkDup6VG.js
